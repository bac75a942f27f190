package mqtt

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/hark-voice/hark/broker/topic"
)

const replyExpires = time.Minute

// Login is how a device connects.
type Login struct {
	Broker   string // tcp://host:port
	Device   topic.Device
	Password string
}

// Talk says one sentence to Hark as a device would, over MQTT, and returns the
// payload of the reply. An empty lang leaves the choice to Hark.
func Talk(ctx context.Context, login Login, text, lang string) ([]byte, error) {
	id := "say-" + rand.Text()
	replies := make(chan []byte, 1)
	o := paho.NewClientOptions().AddBroker(login.Broker).SetUsername(login.Device.String()).SetPassword(login.Password).
		SetClientID(login.Device.String() + "/" + id).SetOrderMatters(false).SetAutoReconnect(false).SetConnectTimeout(5 * time.Second)
	client := paho.NewClient(o)
	if err := wait(ctx, client.Connect()); err != nil {
		return nil, fmt.Errorf("connect to %s as %s: %w", login.Broker, login.Device, err)
	}
	defer client.Disconnect(100)

	answered := client.Subscribe(login.Device.Topic("reply"), 1, func(_ paho.Client, m paho.Message) {
		var r struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(m.Payload(), &r) == nil && r.ID == id {
			select {
			case replies <- m.Payload():
			default: // a second delivery of the same reply
			}
		}
	})
	if err := wait(ctx, answered); err != nil {
		return nil, fmt.Errorf("subscribe to replies: %w", err)
	}
	payload, err := json.Marshal(wireUtterance{ID: id, Text: text, Lang: lang})
	if err != nil {
		return nil, fmt.Errorf("encode the sentence: %w", err)
	}
	if err := wait(ctx, client.Publish(login.Device.Topic(topic.Utterance), 1, false, payload)); err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	select {
	case reply := <-replies:
		return reply, nil
	case <-ctx.Done():
		return nil, errors.New("no reply: is another Hark on that broker, or the store away? (`hark trace --last 1`)")
	}
}

func wait(ctx context.Context, t paho.Token) error {
	select {
	case <-t.Done():
		return t.Error()
	case <-ctx.Done():
		return ctx.Err()
	}
}
