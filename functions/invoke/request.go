package invoke

import (
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	pb "github.com/hark-voice/hark/proto/assistant/v1"
	"google.golang.org/protobuf/types/known/structpb"
)

// newRequest puts a call on the wire. The deadline is in domain time.
func newRequest(call *assistant.Call, deadline time.Time) (*pb.InvokeRequest, error) {
	r := &pb.InvokeRequest{
		InvocationId: call.ID,
		TurnId:       call.Turn,
		NowMs:        call.Now.UnixMilli(),
		DeadlineMs:   deadline.UnixMilli(),
		Home:         call.Home.ID,
		Device:       call.Device.ID,
		Area:         call.Device.Area,
		Person:       call.Person,
		Locale:       call.Lang,
		TimeZone:     call.Home.Zone,
		State:        &pb.State{Revision: call.State.Revision, Value: call.State.Value},
	}
	var err error
	if r.Entities, err = newEntities(call.Entities); err != nil {
		return nil, err
	}
	if call.Session != "" {
		r.Session = &pb.Session{Id: call.Session, New: call.NewSession}
	}
	switch {
	case (call.Intent == nil) == (call.Fired == nil):
		return nil, assistant.Errorf(assistant.CodeBadRequest, "a call needs an intent or a schedule, and not both")
	case call.Intent != nil:
		intent, err := newIntent(call)
		if err != nil {
			return nil, err
		}
		r.Request = &pb.InvokeRequest_Intent{Intent: intent}
	default:
		r.Request = &pb.InvokeRequest_Event{Event: &pb.EventRequest{Event: &pb.EventRequest_Schedule{Schedule: &pb.ScheduleEvent{
			Id:      call.Fired.ID,
			DueMs:   call.Fired.Due.UnixMilli(),
			Payload: call.Fired.Payload,
		}}}}
	}
	return r, nil
}

func newIntent(call *assistant.Call) (*pb.IntentRequest, error) {
	intent := &pb.IntentRequest{
		Name:       call.Intent.Name,
		Confidence: call.Intent.Confidence,
		Text:       call.Text,
		Slots:      make(map[string]*pb.Slot, len(call.Intent.Slots)),
	}
	for name, slot := range call.Intent.Slots {
		value, err := structpb.NewValue(slot.Value)
		if err != nil {
			return nil, assistant.Errorf(assistant.CodeBadRequest, "slot %q: %v", name, err)
		}
		intent.Slots[name] = &pb.Slot{Value: value, Text: slot.Text}
	}
	return intent, nil
}

func newEntities(entities []assistant.Entity) ([]*pb.Entity, error) {
	wire := make([]*pb.Entity, 0, len(entities))
	for _, e := range entities {
		state, err := structpb.NewStruct(e.State)
		if err != nil {
			return nil, assistant.Errorf(assistant.CodeBadRequest, "the state of entity %s: %v", e.ID, err)
		}
		w := &pb.Entity{
			Id: e.ID, Domain: e.Domain, Name: e.Name, Area: e.Area, State: state, Available: available(&e),
		}
		if !e.Updated.IsZero() {
			w.UpdatedMs = e.Updated.UnixMilli()
		}
		wire = append(wire, w)
	}
	return wire, nil
}

// available tells whether a command to the entity has somebody to carry it out.
func available(e *assistant.Entity) bool { return e.Device != "" && !e.Offline }
