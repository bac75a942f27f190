package assistant

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// RedeliveryWindow is how long a message id stays taken: within it the same id
// is the same message, after it the id may be used anew.
const RedeliveryWindow = 24 * time.Hour

// MaxNameLength and MaxMessageIDLength are in bytes.
const (
	MaxNameLength      = 63
	MaxMessageIDLength = 64
)

// CheckName tells whether s may name a home, a device, an entity or a skill:
// [a-z0-9][a-z0-9._-]{0,62}. The error says what is wrong with it.
func CheckName(s string) error {
	if s == "" {
		return fmt.Errorf("a name is missing")
	}
	if len(s) > MaxNameLength {
		return fmt.Errorf("name %.20q... is longer than %d characters", s, MaxNameLength)
	}
	for i := range len(s) {
		c := s[i]
		alnum := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !alnum && (i == 0 || c != '.' && c != '_' && c != '-') {
			return fmt.Errorf("name %q: use a-z, 0-9 and, after the first character, . _ -", s)
		}
	}
	return nil
}

// CheckMessageID tells whether s may be the id of a message: 1-64 of
// the characters A-Za-z0-9._:- alone.
func CheckMessageID(s string) error {
	if s == "" {
		return fmt.Errorf("the id is missing: send 1-%d characters of A-Za-z0-9._:-, new for each message", MaxMessageIDLength)
	}
	if len(s) > MaxMessageIDLength {
		return fmt.Errorf("the id is longer than %d characters", MaxMessageIDLength)
	}
	for i := range len(s) {
		c := s[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && c != '.' && c != '_' && c != ':' && c != '-' {
			return fmt.Errorf("the id %q holds %q: use A-Za-z0-9._:-", s, c)
		}
	}
	return nil
}

// MessageTurnID is the id of the turn that a device's message causes when it
// arrives at the given time. It also holds the day of arrival, counted in
// redelivery windows, so that an id may be used anew later; a redelivery on the
// next day is found under the second result, the id of the window before.
func MessageTurnID(home, device, messageID string, arrived time.Time) (id, earlier string) {
	window := arrived.UnixMilli() / RedeliveryWindow.Milliseconds()
	return derivedID("message", home, device, messageID, strconv.FormatInt(window, 10)),
		derivedID("message", home, device, messageID, strconv.FormatInt(window-1, 10))
}

// FiringTurnID is the id of the turn that a schedule causes when it is due. It
// holds the turn that set it: the same schedule set anew fires anew.
func FiringTurnID(s *Schedule) string {
	return derivedID("schedule", s.Home, s.Skill, s.ID, strconv.FormatInt(s.Due.UnixMilli(), 10), s.By)
}

// PartTurnID is the id of the turn of the n-th thing that an utterance asked
// for. It holds the words: where a redelivery is split otherwise, because other
// sentences were deployed meanwhile, its parts are other turns.
func PartTurnID(turn string, n int, text string) string {
	return derivedID("part", turn, strconv.Itoa(n), text)
}

// EffectID names the n-th effect of a turn. It is a valid message id, because
// devices send it back in acknowledgements.
func EffectID(turn string, n int) string {
	return turn + "." + strconv.Itoa(n)
}

// derivedID hashes its parts, length-prefixed so that no two lists of parts
// collide, to 26 characters of a-z2-7 (128 bits).
func derivedID(parts ...string) string {
	all := make([]byte, 0, 128)
	for _, p := range parts {
		all = append(strconv.AppendInt(all, int64(len(p)), 10), ':')
		all = append(append(all, p...), ',')
	}
	sum := sha256.Sum256(all)
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16]))
}
