package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

// maxBody bounds a JSON request, in bytes.
const maxBody = 64 << 10

// apiError is an error with the status and the text that the caller gets.
type apiError struct {
	status  int
	message string
}

func (e *apiError) Error() string { return e.message }

func badRequest(format string, args ...any) error {
	return &apiError{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// fail answers with an error. What is nobody's fault but ours is logged, and
// the caller is told no more than that.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	known, ok := errors.AsType[*apiError](err)
	switch {
	case ok:
	case errors.Is(err, assistant.ErrNotFound):
		known = &apiError{http.StatusNotFound, "not found"}
	case errors.Is(err, assistant.ErrStoreAway):
		known = &apiError{http.StatusServiceUnavailable, err.Error()}
	case r.Context().Err() != nil:
		return
	default:
		s.Logger.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		known = &apiError{http.StatusInternalServerError, "internal error, see the log of Hark"}
	}
	writeJSON(w, known.status, map[string]string{"error": known.message})
}

func reply(w http.ResponseWriter, v any) error {
	writeJSON(w, http.StatusOK, v)
	return nil
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false) // it is for eyes, too, and no HTML
	// The connection is gone if this fails; there is nobody left to tell.
	_ = out.Encode(v)
}

// decode reads a JSON body of at most maxBody bytes; unknown fields are refused.
func decode(w http.ResponseWriter, r *http.Request, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return &apiError{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d bytes", large.Limit)}
		}
		return badRequest("the body cannot be read as JSON: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return badRequest("something follows the JSON body")
	}
	return nil
}

// intParam reads a query parameter between low and high, or its default.
func intParam(r *http.Request, name string, otherwise, low, high int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, badRequest("%s must be a number from %d to %d", name, low, high)
	}
	return n, nil
}

// timeParam reads a query parameter in Unix milliseconds; absent: the zero time.
func timeParam(r *http.Request, name string) (time.Time, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, badRequest("%s must be a time in Unix milliseconds", name)
	}
	return time.UnixMilli(ms), nil
}
