package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/release"
	"github.com/hark-voice/hark/functions/release/bundle"
	"github.com/hark-voice/hark/functions/runtime"
)

func (s *Server) listSkills(w http.ResponseWriter, r *http.Request) error {
	list, err := s.Releases.Status(r.Context())
	if err != nil {
		return err
	}
	return reply(w, append([]release.Status{}, list...))
}

// releaseEvent is a line of the answer to a deployment or a test: steps, then
// either the version that is live, or what is wrong, or what passed of a test, and
// what is wrong if it failed.
type releaseEvent struct {
	Step   string               `json:"step,omitempty"`
	Detail string               `json:"detail,omitempty"`
	Live   *assistant.LiveSkill `json:"live,omitempty"`
	Tested *release.Tested      `json:"tested,omitempty"`
	Error  string               `json:"error,omitempty"`
}

// deploySkill takes a packed skill folder into service. If the caller leaves
// before the end, nothing is deployed.
func (s *Server) deploySkill(w http.ResponseWriter, r *http.Request) error {
	return takeSkill(w, r, func(archive io.Reader, progress func(release.Step)) (releaseEvent, error) {
		live, err := s.Releases.Deploy(r.Context(), archive, progress)
		if err != nil {
			return releaseEvent{}, err
		}
		return releaseEvent{Live: &live}, nil
	})
}

// testSkill takes a packed skill folder as far as a deployment goes before the
// version is live, and forgets it.
func (s *Server) testSkill(w http.ResponseWriter, r *http.Request) error {
	return takeSkill(w, r, func(archive io.Reader, progress func(release.Step)) (releaseEvent, error) {
		tested, err := s.Releases.Test(r.Context(), archive, progress)
		if tested.Skill == "" { // it did not come to tests
			return releaseEvent{}, err
		}
		return releaseEvent{Tested: &tested}, err
	})
}

// takeSkill answers with one JSON object a line as it goes.
func takeSkill(w http.ResponseWriter, r *http.Request, take func(io.Reader, func(release.Step)) (releaseEvent, error)) error {
	w.Header().Set("Content-Type", "application/x-ndjson")
	out, flush := json.NewEncoder(w), http.NewResponseController(w)
	send := func(e releaseEvent) {
		// It fails only when the caller has left, which ends the work anyway.
		_ = out.Encode(e)
		_ = flush.Flush()
	}
	last, err := take(http.MaxBytesReader(w, r.Body, bundle.MaxArchive), func(step release.Step) {
		send(releaseEvent{Step: step.Name, Detail: step.Detail})
	})
	if err != nil {
		last.Error = err.Error()
	}
	send(last)
	return nil
}

func (s *Server) removeSkill(w http.ResponseWriter, r *http.Request) error {
	err := s.Releases.Remove(r.Context(), r.PathValue("skill"))
	if errors.Is(err, assistant.ErrNotFound) {
		return &apiError{http.StatusNotFound, "no skill " + r.PathValue("skill") + " is deployed: see `hark skill list`"}
	}
	if err != nil {
		return err
	}
	return reply(w, map[string]string{"removed": r.PathValue("skill")})
}

// deployed returns an error where no skill of that name is.
func (s *Server) deployed(ctx context.Context, skill string) error {
	list, err := s.Releases.Status(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(list, func(k release.Status) bool { return k.Skill == skill }) {
		return &apiError{http.StatusNotFound, "no skill " + skill + " is deployed: see `hark skill list`"}
	}
	return nil
}

func (s *Server) readLogs(w http.ResponseWriter, r *http.Request) error {
	lines, err := intParam(r, "lines", 100, 1, 10_000)
	if err != nil {
		return err
	}
	skill := r.PathValue("skill")
	if err := assistant.CheckName(skill); err != nil {
		return badRequest("skill: %v", err)
	}
	list, err := s.Logs.Logs(skill, lines)
	if err == nil && len(list) == 0 {
		err = s.deployed(r.Context(), skill)
	}
	if err != nil {
		return err
	}
	return reply(w, append([]runtime.LogLine{}, list...))
}
