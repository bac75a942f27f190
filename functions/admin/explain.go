package admin

import (
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/explain"
	"github.com/hark-voice/hark/functions/nlu"
)

// explain tells how a sentence would be understood. Nothing is invoked or kept.
func (s *Server) explain(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Text   string `json:"text"`
		Lang   string `json:"lang"`
		Home   string `json:"home"`
		Device string `json:"device"`
		Area   string `json:"area"`
	}
	if err := decode(w, r, &body); err != nil {
		return err
	}
	if n := utf8.RuneCountInString(body.Text); n > nlu.MaxTextLength || strings.TrimSpace(body.Text) == "" {
		return badRequest("text must be a sentence of 1 to %d characters", nlu.MaxTextLength)
	}
	lang, err := parseLang(body.Lang)
	if err != nil {
		return err
	}
	if utf8.RuneCountInString(body.Area) > maxLabel {
		return badRequest("the area has more than %d characters", maxLabel)
	}
	for what, name := range map[string]string{"home": body.Home, "device": body.Device} {
		if name == "" {
			continue
		}
		if err := assistant.CheckName(name); err != nil {
			return badRequest("%s: %v", what, err)
		}
	}
	if body.Device != "" && body.Home == "" {
		return badRequest("a device is of a home: name that, too")
	}
	if body.Home != "" {
		if err := s.exists(r.Context(), body.Home); err != nil {
			return err
		}
	}
	x, err := s.Explain.Explain(r.Context(), explain.Question{Text: body.Text, Lang: lang, Home: body.Home, Device: body.Device, Area: body.Area})
	if errors.Is(err, assistant.ErrNotFound) {
		return &apiError{http.StatusNotFound, "there is no device " + body.Home + "/" + body.Device + ": see `hark home list`"}
	}
	if err != nil {
		return err
	}
	return reply(w, x)
}
