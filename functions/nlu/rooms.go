package nlu

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
)

// Rooms know the words for a room in all languages, so that the kitchen of a
// home can be spoken of as 厨房. They never change and are safe for concurrent use.
type Rooms struct {
	names map[string]string              // of a room, by word, folded
	words map[string]map[string][]string // by language and name
}

// LoadRooms reads the words for rooms of all languages.
func LoadRooms() (*Rooms, error) {
	entries, err := languageFiles.ReadDir("lang")
	if err != nil {
		return nil, fmt.Errorf("list the languages: %w", err)
	}
	r := &Rooms{names: make(map[string]string), words: make(map[string]map[string][]string)}
	for _, entry := range entries {
		lang := strings.TrimSuffix(entry.Name(), ".json")
		data, err := languageFiles.ReadFile(path.Join("lang", entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("read the rooms of language %s: %w", lang, err)
		}
		var file struct {
			Rooms map[string][]string `json:"rooms"`
		}
		if err := json.Unmarshal(data, &file); err != nil {
			return nil, fmt.Errorf("read the rooms of language %s: %w", lang, err)
		}
		r.words[lang] = file.Rooms
		for name, words := range file.Rooms {
			r.names[Fold(name)] = name
			for _, w := range words {
				r.names[Fold(w)] = name
			}
		}
	}
	return r, nil
}

// Name returns the name that all languages share of the room that a text means,
// be it that name or a word of any language.
func (r *Rooms) Name(text string) (string, bool) {
	name, ok := r.names[Fold(text)]
	return name, ok
}

// Leading returns the name of the room that a text begins with: that of the
// longest word that ends where a word of the text ends, "kitchen" of "kitchen light".
func (r *Rooms) Leading(text string) (string, bool) {
	key := []rune(Fold(text))
	for end := len(key); end > 0; end-- {
		if !unicode.Is(unicode.Han, key[end-1]) && !isWordEnd(key, end) {
			continue
		}
		if name, ok := r.names[string(key[:end])]; ok {
			return name, true
		}
	}
	return "", false
}

// Words returns what people who speak a language may call a room: those of zh
// for "zh-CN".
func (r *Rooms) Words(lang, name string) []string {
	for tag := strings.ToLower(lang); tag != ""; tag = tag[:max(strings.LastIndexByte(tag, '-'), 0)] {
		if words, ok := r.words[tag]; ok {
			return slices.Clone(words[name])
		}
	}
	return nil
}

// Fold brings a name to the form in which equal names are equal: case, width,
// marks at the edges of words, and hyphens for blanks mean nothing. It is empty
// for what has nothing that can be said.
func Fold(name string) string {
	runes := runesOf(foldText(name))
	for i, r := range runes {
		if isHyphen(r) {
			runes[i] = ' '
		}
	}
	return strings.Join(strings.Fields(string(runes)), " ")
}
