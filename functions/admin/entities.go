package admin

import (
	"errors"
	"net/http"
	"unicode/utf8"

	"github.com/hark-voice/hark/functions/assistant"
)

// maxLabel bounds names and rooms, in characters.
const maxLabel = 64

func (s *Server) putEntity(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		ID     string `json:"id"`
		Domain string `json:"domain"`
		Name   string `json:"name"`
		Area   string `json:"area"`
		Device string `json:"device"`
	}
	if err := decode(w, r, &body); err != nil {
		return err
	}
	home := r.PathValue("home")
	for what, name := range map[string]string{"id": body.ID, "domain": body.Domain} {
		if err := assistant.CheckName(name); err != nil {
			return badRequest("%s: %v", what, err)
		}
	}
	if utf8.RuneCountInString(body.Name) > maxLabel || utf8.RuneCountInString(body.Area) > maxLabel || !utf8.ValidString(body.Name+body.Area) {
		return badRequest("the name or the area has more than %d characters", maxLabel)
	}
	if _, err := s.Store.Home(r.Context(), home); errors.Is(err, assistant.ErrNotFound) {
		return &apiError{http.StatusNotFound, "there is no home " + home + ": `hark home set " + home + "` makes it"}
	} else if err != nil {
		return err
	}
	if body.Device != "" {
		if _, err := s.Store.Device(r.Context(), home, body.Device); errors.Is(err, assistant.ErrNotFound) {
			return &apiError{http.StatusNotFound, "there is no device " + home + "/" + body.Device + ": `hark device add " + home + " " + body.Device + "`"}
		} else if err != nil {
			return err
		}
	}
	e := assistant.Entity{Home: home, ID: body.ID, Domain: body.Domain, Name: body.Name, Area: body.Area, Device: body.Device}
	if err := s.Store.PutEntity(r.Context(), e); err != nil {
		return err
	}
	s.Changed(home)
	return reply(w, e)
}

func (s *Server) listEntities(w http.ResponseWriter, r *http.Request) error {
	if err := s.exists(r.Context(), r.PathValue("home")); err != nil {
		return err
	}
	list, err := s.Store.Entities(r.Context(), r.PathValue("home"))
	if err != nil {
		return err
	}
	return reply(w, append([]assistant.Entity{}, list...))
}

func (s *Server) listReadings(w http.ResponseWriter, r *http.Request) error {
	limit, err := intParam(r, "limit", 100, 1, 10_000)
	if err != nil {
		return err
	}
	if err := s.exists(r.Context(), r.PathValue("home")); err != nil {
		return err
	}
	list, err := s.Store.Readings(r.Context(), r.PathValue("home"), r.URL.Query().Get("device"), limit)
	if err != nil {
		return err
	}
	return reply(w, append([]assistant.Reading{}, list...))
}

func (s *Server) countReadings(w http.ResponseWriter, r *http.Request) error {
	if err := s.exists(r.Context(), r.PathValue("home")); err != nil {
		return err
	}
	n, err := s.Store.CountReadings(r.Context(), r.PathValue("home"))
	if err != nil {
		return err
	}
	return reply(w, map[string]int64{"count": n})
}
