package main

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hark-voice/hark/skills"
)

// cleanName returns the name for a timer that a sentence gave it, empty where
// the words name nobody ("for me"). It is false for what is no name at all: a
// sentence that was not meant to set a timer.
//
// The sentences are written so that this does not happen; but what a device
// recognized by itself, or a word misheard, comes here too.
func cleanName(call *skills.Call, name string) (string, bool) {
	name = strings.TrimSpace(name)
	for _, word := range words(call, "nobody") {
		if strings.EqualFold(name, word) {
			return "", true
		}
	}
	for _, word := range words(call, "no-names") {
		if beginsWith(name, word) {
			return "", false
		}
	}
	return name, true
}

// words are those of a text that lists them.
func words(call *skills.Call, key string) []string {
	list := strings.Split(call.Text(key, nil), ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

// beginsWith tells whether text begins with a word, which ends where no letter
// of its own script follows: "is" does not begin "Islay", but 别 begins 别定.
func beginsWith(text, word string) bool {
	if len(text) < len(word) || !strings.EqualFold(text[:len(word)], word) {
		return false
	}
	last, _ := utf8.DecodeLastRuneInString(word)
	next, _ := utf8.DecodeRuneInString(text[len(word):])
	return unicode.Is(unicode.Han, last) || !unicode.IsLetter(next)
}

// sameName tells whether two names are the same to people: "eggs" and "Egg".
func sameName(a, b string) bool { return loose(a) == loose(b) }

func loose(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '-' {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
	if cut := strings.TrimSuffix(name, "s"); cut != "" {
		return cut
	}
	return name
}
