package nlu

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// readingFiles hold the readings of the characters of languages that are not
// written as they sound.
//
//go:generate sh -c "go run lang/pinyin.go $UNIHAN > lang/pinyin.txt"
//go:embed lang/*.txt
var readingFiles embed.FS

// syllable is a sound that characters stand for. 0 is none.
type syllable uint16

// maxReadings are kept of a character.
const maxReadings = 3

// readings are how characters sound.
type readings struct {
	of map[rune][maxReadings]syllable
	// class gives, by syllable, one that stands for all that it is confused with.
	class []syllable
}

// lazyReadings reads a file when it is first needed.
func lazyReadings(name string, confusions map[string]string) (func() *readings, error) {
	data, err := readingFiles.ReadFile("lang/" + name)
	if err != nil {
		return nil, fmt.Errorf("read the sounds of characters: %w", err)
	}
	return sync.OnceValue(func() *readings { return newReadings(string(data), confusions) }), nil
}

func newReadings(file string, confusions map[string]string) *readings {
	r := &readings{of: make(map[rune][maxReadings]syllable), class: []syllable{0}}
	classes := make(map[string]syllable)
	for line := range strings.Lines(file) {
		sound, characters, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || sound == "#" {
			continue
		}
		s := syllable(len(r.class)) //nolint:gosec // there are few
		for _, c := range characters {
			r.add(c, s)
		}
		class := confused(sound, confusions)
		if classes[class] == 0 {
			classes[class] = s
		}
		r.class = append(r.class, classes[class])
	}
	return r
}

func (r *readings) add(c rune, s syllable) {
	known := r.of[c]
	if i := slices.Index(known[:], 0); i >= 0 {
		known[i] = s
		r.of[c] = known
	}
}

// confused brings a syllable to the form that all have which it is confused with:
// "zh-" is how it begins, "-ang" how it ends.
func confused(sound string, confusions map[string]string) string {
	longest := ""
	for from := range confusions {
		if begin, ok := strings.CutSuffix(from, "-"); ok && strings.HasPrefix(sound, begin) && len(from) > len(longest) {
			longest = from
		}
	}
	if longest != "" {
		sound = strings.TrimSuffix(confusions[longest], "-") + sound[len(longest)-1:]
	}
	longest = ""
	for from := range confusions {
		if end, ok := strings.CutPrefix(from, "-"); ok && strings.HasSuffix(sound, end) && len(from) > len(longest) {
			longest = from
		}
	}
	if longest != "" {
		sound = sound[:len(sound)-len(longest)+1] + strings.TrimPrefix(confusions[longest], "-")
	}
	return sound
}

// likeness tells how near two characters sound.
type likeness int

const (
	sameCharacter likeness = iota
	sameSound
	similarSound
	otherSound
)

func (r *readings) compare(a, b rune) likeness {
	if a == b {
		return sameCharacter
	}
	likest := otherSound
	for _, x := range r.of[a] {
		for _, y := range r.of[b] {
			switch {
			case x == 0 || y == 0:
			case x == y:
				return sameSound
			case r.class[x] == r.class[y]:
				likest = similarSound
			}
		}
	}
	return likest
}

// maxHashes bounds the ways in which the sound of a piece is looked up.
const maxHashes = 8

// hashes are equal for characters that are confused, in one of the ways of
// reading them; none for what has characters that are not known.
func (r *readings) hashes(characters []rune) []uint32 {
	found := []uint32{2166136261}
	for _, c := range characters {
		var next []uint32
		var classes [maxReadings]syllable
		for i, s := range r.of[c] {
			if s == 0 || slices.Contains(classes[:i], r.class[s]) {
				continue
			}
			classes[i] = r.class[s]
			for _, h := range found {
				if len(next) < maxHashes {
					next = append(next, (h^uint32(classes[i]))*16777619)
				}
			}
		}
		found = next
	}
	return found
}
