package auth

import (
	"strings"

	"github.com/hark-voice/hark/broker/topic"
)

// Limits of topic names and filters. MQTT allows 65,535 bytes and as many
// levels, each of which costs memory in a subscription tree.
const (
	maxTopicLength = 256
	maxTopicLevels = 16
)

// MayPublish tells whether a device may publish to a topic: within its own
// subtree, but not to what Hark sends down. reason says why not.
func MayPublish(d topic.Device, name string) (reason string, ok bool) {
	switch {
	case !d.Within(name):
		return "foreign topic", false
	case !bounded(name):
		return "topic too long", false
	case strings.ContainsAny(name, "+#\x00"):
		return "wildcard in topic", false
	}
	if _, kind, ok := topic.Parse(name); ok && kind.Down() {
		return "topic is Hark's", false
	}
	return "", true
}

// MaySubscribe tells whether a device may subscribe to a filter, which may be a
// shared one: all that it matches must be in the device's own subtree.
func MaySubscribe(d topic.Device, filter string) bool {
	plain, _ := topic.Unshare(filter)
	return d.Within(plain) && bounded(filter)
}

// MayAnswer tells whether a device may ask for an answer on a topic: any within
// its own subtree.
func MayAnswer(d topic.Device, name string) bool {
	return d.Within(name) && bounded(name) && !strings.ContainsAny(name, "+#\x00")
}

func bounded(name string) bool {
	return len(name) <= maxTopicLength && strings.Count(name, "/") < maxTopicLevels
}
