package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hark-voice/hark/broker/topic"
	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/explain"
	"github.com/hark-voice/hark/functions/release"
	"github.com/hark-voice/hark/functions/runtime"
)

// Store is what the service needs of the store.
type Store interface {
	assistant.HomeStore
	assistant.EntityStore
	assistant.UsageStore
	FindTurn(ctx context.Context, ids ...string) (*assistant.Turn, error)
	Turns(ctx context.Context, limit int) ([]assistant.Turn, error)
	Schedules(ctx context.Context, home string) ([]assistant.Schedule, error)
	PutCredential(ctx context.Context, c topic.Credential) error
	ReplaceCredentials(ctx context.Context, c topic.Credential) error
}

// Releases brings skills into service and out of it.
type Releases interface {
	Deploy(ctx context.Context, archive io.Reader, progress func(release.Step)) (assistant.LiveSkill, error)
	Test(ctx context.Context, archive io.Reader, progress func(release.Step)) (release.Tested, error)
	Remove(ctx context.Context, skill string) error
	Status(ctx context.Context) ([]release.Status, error)
}

// Explainer tells how a sentence is understood.
type Explainer interface {
	Explain(ctx context.Context, q explain.Question) (*explain.Explanation, error)
}

// Logs reads what instances of a skill printed.
type Logs interface {
	Logs(skill string, lines int) ([]runtime.LogLine, error)
}

// Options of a Server. All but Logger and Advance must be set.
type Options struct {
	Store    Store
	Releases Releases
	Logs     Logs
	Explain  Explainer
	Token    string // the operator's
	Version  string // of this build
	Clock    assistant.Clock
	// MQTT returns where devices connect, host:port.
	MQTT func() string
	// Revoked is called when a device's login was replaced: its connections end.
	Revoked func(topic.Device)
	// Changed is called when a home, its devices or its entities were changed.
	Changed func(home string)
	// Ready returns nil when a message published now would be answered.
	Ready func(ctx context.Context) error
	// Advance moves the test clock; nil: the clock is the machine's.
	Advance func(time.Duration)
	Logger  *slog.Logger
}

// Server answers HTTP requests.
type Server struct {
	Options
	token [32]byte
	mux   *http.ServeMux
	homes sync.Mutex // one at a time changes homes and devices
}

// New returns a Server.
func New(o Options) (*Server, error) {
	if o.Store == nil || o.Releases == nil || o.Logs == nil || o.Explain == nil || o.Clock == nil || o.MQTT == nil || o.Revoked == nil || o.Ready == nil {
		return nil, errors.New("admin: an option is missing")
	}
	if len(o.Token) < 20 {
		return nil, errors.New("admin: the operator's token is shorter than 20 characters")
	}
	if o.Changed == nil {
		o.Changed = func(string) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{Options: o, token: sha256.Sum256([]byte(o.Token)), mux: http.NewServeMux()}
	s.routes()
	return s, nil
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Server) routes() {
	s.mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	s.mux.HandleFunc("GET /readyz", s.readyz)
	for pattern, handle := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /api/v1/version":                               s.getVersion,
		"GET /api/v1/homes":                                 s.listHomes,
		"PUT /api/v1/homes/{home}":                          s.setHome,
		"POST /api/v1/homes/{home}/devices":                 s.addDevice,
		"POST /api/v1/homes/{home}/devices/{device}/logins": s.lendLogin,
		"GET /api/v1/homes/{home}/entities":                 s.listEntities,
		"POST /api/v1/homes/{home}/entities":                s.putEntity,
		"GET /api/v1/homes/{home}/readings":                 s.listReadings,
		"GET /api/v1/homes/{home}/readings/count":           s.countReadings,
		"GET /api/v1/schedules":                             s.listSchedules,
		"GET /api/v1/skills":                                s.listSkills,
		"POST /api/v1/skills":                               s.deploySkill,
		"DELETE /api/v1/skills/{skill}":                     s.removeSkill,
		"GET /api/v1/skills/{skill}/logs":                   s.readLogs,
		"POST /api/v1/trials":                               s.testSkill,
		"POST /api/v1/explanations":                         s.explain,
		"GET /api/v1/usage":                                 s.queryUsage,
		"GET /api/v1/turns":                                 s.listTurns,
		"GET /api/v1/turns/{turn}":                          s.getTurn,
		"POST /api/v1/clock":                                s.advanceClock,
	} {
		s.mux.HandleFunc(pattern, s.guarded(handle))
	}
	s.mux.HandleFunc("/api/", s.guarded(func(_ http.ResponseWriter, r *http.Request) error {
		return &apiError{http.StatusNotFound, "no such call: " + r.Method + " " + r.URL.Path}
	}))
}

// Authorized tells whether a request carries the operator's token.
func (s *Server) Authorized(r *http.Request) bool {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	sum := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(sum[:], s.token[:]) == 1
}

// guarded lets the operator's token through, and turns errors into answers.
func (s *Server) guarded(handle func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		sum := sha256.Sum256([]byte(token))
		if subtle.ConstantTimeCompare(sum[:], s.token[:]) != 1 || !bearer {
			w.Header().Set("WWW-Authenticate", "Bearer")
			s.fail(w, r, &apiError{http.StatusUnauthorized, "the operator's token is missing or wrong: set HARK_TOKEN, or HARK_DATA to the data folder of the running Hark"})
			return
		}
		if err := handle(w, r); err != nil {
			s.fail(w, r, err)
		}
	}
}

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	if err := s.Ready(r.Context()); err != nil {
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"status": "not ready", "reason": err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
}

func (s *Server) getVersion(w http.ResponseWriter, _ *http.Request) error {
	return reply(w, map[string]string{"version": s.Version, "mqtt": s.MQTT()})
}

// maxAdvance bounds one step of the test clock.
const maxAdvance = 2 * 365 * 24 * time.Hour

func (s *Server) advanceClock(w http.ResponseWriter, r *http.Request) error {
	if s.Advance == nil {
		return &apiError{http.StatusConflict, "the clock is the machine's: start Hark with --test-clock to move it"}
	}
	var body struct {
		AdvanceMS int64 `json:"advance_ms"`
	}
	if err := decode(w, r, &body); err != nil {
		return err
	}
	step := time.Duration(body.AdvanceMS) * time.Millisecond
	if body.AdvanceMS <= 0 || body.AdvanceMS > maxAdvance.Milliseconds() {
		return badRequest("advance_ms must be 1 to %d", maxAdvance.Milliseconds())
	}
	s.Advance(step)
	return reply(w, map[string]int64{"now": s.Clock.Now().UnixMilli()})
}
