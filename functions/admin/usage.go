package admin

import (
	"errors"
	"net/http"
	"strings"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/usage"
)

func (s *Server) queryUsage(w http.ResponseWriter, r *http.Request) error {
	by := assistant.UsageBy(r.URL.Query().Get("by"))
	switch by {
	case "":
		by = assistant.UsageBySkill
	case assistant.UsageBySkill, assistant.UsageByVersion, assistant.UsageByHome:
	default:
		return badRequest("by must be skill, version or home")
	}
	from, err := timeParam(r, "from")
	if err != nil {
		return err
	}
	to, err := timeParam(r, "to")
	if err != nil {
		return err
	}
	rows, err := s.Store.Usage(r.Context(), assistant.UsageQuery{By: by, From: from, To: to})
	if err != nil {
		return err
	}
	return reply(w, usage.NewRows(rows))
}

func (s *Server) listTurns(w http.ResponseWriter, r *http.Request) error {
	last, err := intParam(r, "last", 20, 1, 1000)
	if err != nil {
		return err
	}
	turns, err := s.Store.Turns(r.Context(), last)
	if err != nil {
		return err
	}
	return reply(w, append([]assistant.Turn{}, turns...))
}

func (s *Server) getTurn(w http.ResponseWriter, r *http.Request) error {
	id := strings.ToLower(r.PathValue("turn"))
	// Turns that were replied to are committed before they are looked for.
	if _, err := s.Store.Turns(r.Context(), 1); err != nil {
		return err
	}
	t, err := s.Store.FindTurn(r.Context(), id)
	if errors.Is(err, assistant.ErrNotFound) {
		return &apiError{http.StatusNotFound, "there is no turn " + id + ": ids are in `reply.turn` and in `hark trace --last 10`"}
	}
	if err != nil {
		return err
	}
	return reply(w, t)
}

func (s *Server) listSchedules(w http.ResponseWriter, r *http.Request) error {
	home := r.URL.Query().Get("home")
	if home != "" {
		if err := s.exists(r.Context(), home); err != nil {
			return err
		}
	}
	list, err := s.Store.Schedules(r.Context(), home)
	if err != nil {
		return err
	}
	return reply(w, append([]assistant.Schedule{}, list...))
}
