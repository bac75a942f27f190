package topic

import (
	"strings"
	"time"
)

// The topics that Hark publishes and a device only subscribes to.
const (
	Reply   Kind = "reply"
	Command Kind = "command"
	Say     Kind = "say"
	Welcome Kind = "welcome"
)

// Down tells whether only Hark may publish messages of the kind.
func (k Kind) Down() bool {
	return k == Reply || k == Command || k == Say || k == Welcome
}

// Clock is where the broker reads domain time: expiry of credentials and of
// messages.
type Clock interface {
	Now() time.Time
}

// Within tells whether a topic name or filter lies below the device's own
// subtree hark/{home}/{device}/, whatever it holds below that.
func (d Device) Within(name string) bool {
	rest, inTree := strings.CutPrefix(name, Root+"/")
	rest, inHome := strings.CutPrefix(rest, d.Home+"/")
	rest, inDevice := strings.CutPrefix(rest, d.ID+"/")
	return inTree && inHome && inDevice && rest != ""
}

// Unshare strips "$share/{group}/" from a filter (MQTT 5, 4.8.2); shared tells
// whether there was one.
func Unshare(filter string) (plain string, shared bool) {
	rest, ok := strings.CutPrefix(filter, "$share/")
	if !ok {
		return filter, false
	}
	_, plain, ok = strings.Cut(rest, "/")
	return plain, ok
}

// Match tells whether a filter without $share matches a topic name (MQTT 5,
// 4.7). Both are taken to be well formed.
func Match(filter, name string) bool {
	if strings.HasPrefix(name, "$") != strings.HasPrefix(filter, "$") {
		return false // 4.7.2: wildcards do not reach into $SYS
	}
	for {
		want, restFilter, moreFilter := strings.Cut(filter, "/")
		if want == "#" {
			return true
		}
		have, restName, moreName := strings.Cut(name, "/")
		if want != "+" && want != have {
			return false
		}
		if !moreFilter || !moreName {
			return !moreName && (!moreFilter || restFilter == "#") // "a/#" matches "a" too
		}
		filter, name = restFilter, restName
	}
}
