// Package gateway is the way into the road for devices that speak HTTP: the
// JSON of an `utterance` comes in as a request, the JSON of its `reply` goes out
// as the response. It must not know how a turn is answered. The same message
// through MQTT is the same turn.
package gateway

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/hark-voice/hark/broker/topic"
	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/mqtt"
)

// Road takes utterances.
type Road interface {
	Utterance(ctx context.Context, u *assistant.Utterance) (*assistant.Turn, error)
}

// Options of a Gateway. All but Logger must be set.
type Options struct {
	Road  Road
	Homes assistant.HomeStore
	// Verify returns the device that a username and password prove.
	Verify func(ctx context.Context, username, password string) (topic.Device, error)
	Token  string // the operator's, who may speak as any device
	Clock  assistant.Clock
	Logger *slog.Logger
}

const (
	maxBody      = 128 << 10 // bytes, as of an MQTT packet
	replyExpires = time.Minute
)

// New returns the handler of POST /api/v1/homes/{home}/devices/{device}/utterances.
func New(o Options) (http.Handler, error) {
	if o.Road == nil || o.Homes == nil || o.Verify == nil || o.Clock == nil || o.Token == "" {
		return nil, errors.New("gateway: an option is missing")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &gateway{o}, nil
}

type gateway struct{ Options }

// ServeHTTP answers a request.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	received := g.Clock.Now()
	device := topic.Device{Home: r.PathValue("home"), ID: r.PathValue("device")}
	if e := g.admit(r, device); e != nil {
		if e.Code == assistant.CodeDenied {
			w.Header().Set("WWW-Authenticate", `Basic realm="hark", charset="UTF-8"`)
		}
		g.reply(w, &assistant.Reply{Error: e})
		return
	}
	payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		g.reply(w, &assistant.Reply{Error: assistant.Errorf(assistant.CodeTooLarge, "the body is larger than %d KiB or cut off", maxBody>>10)})
		return
	}
	u, bad := mqtt.DecodeUtterance(payload)
	if bad != nil {
		g.reply(w, &assistant.Reply{ID: u.ID, Lang: u.Lang, Error: bad})
		return
	}
	u.Home, u.Device, u.Received, u.Direct = device.Home, device.ID, received, true
	turn, err := g.Road.Utterance(r.Context(), u)
	switch {
	case err == nil:
		g.reply(w, turn.Reply)
	case r.Context().Err() != nil: // the caller has left
	default:
		if !errors.Is(err, assistant.ErrStoreAway) {
			g.Logger.Error("an utterance over HTTP was lost", "device", device.String(), "error", err)
		}
		busy := assistant.Errorf(assistant.CodeBusy, "the message could not be taken in: send it again, under the same id")
		g.reply(w, &assistant.Reply{ID: u.ID, Error: busy})
	}
}

// admit lets a device in as itself, and the operator as any device that exists.
func (g *gateway) admit(r *http.Request, device topic.Device) *assistant.Error {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		mine, theirs := sha256.Sum256([]byte(g.Token)), sha256.Sum256([]byte(token))
		if subtle.ConstantTimeCompare(mine[:], theirs[:]) != 1 {
			return assistant.Errorf(assistant.CodeDenied, "the token is wrong")
		}
		if _, err := g.Homes.Device(r.Context(), device.Home, device.ID); err != nil {
			return assistant.Errorf(assistant.CodeDenied, "there is no device %s", device)
		}
		return nil
	}
	username, password, ok := r.BasicAuth()
	if !ok {
		return assistant.Errorf(assistant.CodeDenied, "send the device's username and password (Basic), or a token (Bearer)")
	}
	proved, err := g.Verify(r.Context(), username, password)
	switch {
	case errors.Is(err, assistant.ErrStoreAway):
		return assistant.Errorf(assistant.CodeBusy, "the store cannot be reached")
	case err != nil || proved != device:
		return assistant.Errorf(assistant.CodeDenied, "the username or password is wrong, or of another device")
	}
	return nil
}

func (g *gateway) reply(w http.ResponseWriter, r *assistant.Reply) {
	if r.Expect == "" {
		r.Expect = assistant.ExpectNone
	}
	m := assistant.Message{Reply: r, Expires: g.Clock.Now().Add(replyExpires)}
	out, err := mqtt.Encode(m)
	if err != nil {
		g.Logger.Error("a reply over HTTP was lost", "turn", r.Turn, "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status(r))
	// The connection is gone if this fails; the turn is not.
	_, _ = w.Write(out.Payload)
}

// status is the HTTP status of a reply.
func status(r *assistant.Reply) int {
	if r.Error == nil {
		return http.StatusOK
	}
	if r.Error.Code == assistant.CodeDenied && r.Turn == "" {
		return http.StatusUnauthorized // who asks is not known, whatever they ask for
	}
	return r.Error.Code.Status()
}
