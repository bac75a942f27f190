package skills

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	assistantv1 "github.com/hark-voice/hark/proto/assistant/v1"
)

// Call is one request to the skill. It belongs to the goroutine of its handler
// and is not for use after the handler has returned.
type Call struct {
	// ID is the invocation's. It stays the same when the call is repeated: use it
	// as the idempotency key towards the outside world.
	ID string
	// Turn is what `hark trace` shows this call under.
	Turn string

	Home   string
	Device string // that was spoken to; empty for a schedule without a device
	Area   string // the room of the device; empty: not known
	Person string // the speaker, if the device recognized one
	Lang   string // to answer in, BCP 47

	// Intent is what the user wants; empty when a schedule fired.
	Intent     string
	Slots      Slots
	Sentence   string  // that was said; empty where the device sent an intent
	Confidence float64 // 0 to 1

	// Entities are the things of the home that skill.yaml asks to see.
	Entities Entities

	// Fired is the schedule that is due; the zero value in an intent's handler.
	Fired Fired

	// Settings are the operator's for this skill and home.
	Settings map[string]string
	// Log names the invocation and the turn in each line.
	Log *slog.Logger

	now   time.Time
	state []byte
	texts *texts
	err   error // of rendering a text: fails the call
}

// Fired is a schedule that is due.
type Fired struct {
	ID string
	// Due is when it was due, in the home's time zone. It may fire later (see
	// Call.Now), never earlier.
	Due     time.Time
	payload []byte
}

// Data carries named values to the text of an answer. A struct does as well.
type Data map[string]any

// Now is the time of the turn in the home's time zone. Use it instead of
// time.Now: it is the same when the call is repeated, and tests can set it.
func (c *Call) Now() time.Time { return c.now }

// Say answers with the text of `answers:` in sentences/<lang>.yaml that has the
// key, see [Call.Text].
func (c *Call) Say(key string, data any) *Answer {
	return &Answer{speech: c.Text(key, data)}
}

// Text renders a text of `answers:` in the language of the call: a
// text/template over data, with the helpers that the package documentation
// lists. Where a language lacks the key, de-AT falls back to de, to another de,
// to en. Of several texts under one key the invocation chooses. A text that cannot be rendered
// fails the call, so there is no error to check.
func (c *Call) Text(key string, data any) string {
	text, err := c.texts.render(c, key, data)
	if err != nil {
		c.err = errors.Join(c.err, err)
	}
	return text
}

// newCall reads a request.
func newCall(req *assistantv1.InvokeRequest, texts *texts, logger *slog.Logger) (*Call, error) {
	zone, err := texts.zone(req.GetTimeZone())
	if err != nil {
		return nil, fmt.Errorf("the call's time zone %q is unknown: %w", req.GetTimeZone(), err)
	}
	return &Call{
		ID: req.GetInvocationId(), Turn: req.GetTurnId(),
		Home: req.GetHome(), Device: req.GetDevice(), Area: req.GetArea(), Person: req.GetPerson(),
		Lang:       req.GetLocale(),
		Intent:     req.GetIntent().GetName(),
		Slots:      newSlots(req.GetIntent().GetSlots(), zone),
		Sentence:   req.GetIntent().GetText(),
		Confidence: req.GetIntent().GetConfidence(),
		Entities:   newEntities(req.GetEntities(), zone),
		Fired:      newFired(req.GetEvent().GetSchedule(), zone),
		Settings:   req.GetSettings(),
		Log:        slog.New(&callHandler{logger.Handler(), req.GetInvocationId(), req.GetTurnId()}),
		now:        time.UnixMilli(req.GetNowMs()).In(zone),
		state:      req.GetState().GetValue(),
		texts:      texts,
	}, nil
}

func newFired(e *assistantv1.ScheduleEvent, zone *time.Location) Fired {
	if e == nil {
		return Fired{}
	}
	return Fired{ID: e.GetId(), Due: time.UnixMilli(e.GetDueMs()).In(zone), payload: e.GetPayload()}
}

// answer runs a handler and checks what it gave back. What the check finds is a
// *fault; any other error is the handler's own.
func (c *Call) answer(ctx context.Context, h Handler) (*assistantv1.InvokeResponse, error) {
	a, err := h(ctx, c)
	if err != nil {
		return nil, err
	}
	if c.err != nil {
		return nil, &fault{c.err}
	}
	if a == nil {
		return nil, &fault{errors.New("the handler returned neither an answer nor an error: to say nothing, return &skills.Answer{}")}
	}
	resp, err := a.response()
	if err != nil {
		return nil, &fault{err}
	}
	return resp, nil
}

// fault is a breach of the contract, which only the developer can mend.
type fault struct{ error }
