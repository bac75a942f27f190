package invoke

import (
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	pb "github.com/hark-voice/hark/proto/assistant/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

func TestEntitiesOnTheWire(t *testing.T) {
	call := answeredCall()
	call.Intent = &assistant.Intent{Name: "TurnOn"}
	call.Entities = []assistant.Entity{
		{
			Home: "home1", ID: "light.desk", Domain: "light", Name: "台灯", Area: "study", Device: "lamp",
			State: map[string]any{"state": "on", "brightness": 40.0, "effect": nil}, Updated: answerTime,
		},
		{ID: "light.hall", Domain: "light", Device: "lamp", Offline: true},
		{ID: "light.painted", Domain: "light"}, // no device answers for it
	}
	r, err := newRequest(call, answerTime.Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	state := &structpb.Struct{Fields: map[string]*structpb.Value{
		"state": structpb.NewStringValue("on"), "brightness": structpb.NewNumberValue(40), "effect": structpb.NewNullValue(),
	}}
	want := []*pb.Entity{
		{Id: "light.desk", Domain: "light", Name: "台灯", Area: "study", State: state, Available: true, UpdatedMs: answerTime.UnixMilli()},
		{Id: "light.hall", Domain: "light", State: &structpb.Struct{}},
		{Id: "light.painted", Domain: "light", State: &structpb.Struct{}},
	}
	if len(r.GetEntities()) != len(want) {
		t.Fatalf("%d entities, want %d", len(r.GetEntities()), len(want))
	}
	for i, e := range r.GetEntities() {
		if !proto.Equal(e, want[i]) {
			t.Errorf("entity %v, want %v", e, want[i])
		}
	}
	call.Entities[0].State = map[string]any{"state": make(chan int)}
	if _, err := newRequest(call, answerTime); err == nil {
		t.Error("a state that JSON does not have was sent")
	}
}
