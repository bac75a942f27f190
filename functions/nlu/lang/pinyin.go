//go:build ignore

// This program makes pinyin.txt of the Unihan database. It takes the folder of
// Unihan_Readings.txt, Unihan_Variants.txt, Unihan_IRGSources.txt and
// Unihan_OtherMappings.txt, which are in https://www.unicode.org/Public/15.0.0/ucd/Unihan.zip, and writes to its
// standard output.
package main

import (
	"bufio"
	"cmp"
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"
)

const header = `# The readings of Chinese characters in pinyin, without tones: a syllable a line, v for ü.
# The characters of GB 2312 and of the first level of Big5.
# Made by pinyin.go of the Unihan database of Unicode 15.0.0 (2022-08-01); the readings that occur are those
# of kHanyuPinlu, by their frequency, and kMandarin, else those of kTGHZ2013;
# a traditional character has those of its simplified form (kSimplifiedVariant), too.
# Copyright © 1991-2022 Unicode, Inc. Unicode License V3, see LICENSE-UNICODE.
`

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: go run pinyin.go FOLDER > pinyin.txt")
	}
	common := make(map[rune]bool)
	read("Unihan_IRGSources.txt", "kIRG_GSource", func(r rune, value string) {
		common[r] = common[r] || strings.HasPrefix(value, "G0-")
	})
	read("Unihan_OtherMappings.txt", "kBigFive", func(r rune, value string) {
		common[r] = common[r] || "A440" <= value && value <= "C67E"
	})
	readings := make(map[rune][]string)
	add := func(r rune, syllable string) {
		if s := plain(syllable); common[r] && s != "" && !slices.Contains(readings[r], s) {
			readings[r] = append(readings[r], s)
		}
	}
	read("Unihan_Readings.txt", "kHanyuPinlu", func(r rune, value string) { frequent(value, func(s string) { add(r, s) }) })
	read("Unihan_Readings.txt", "kMandarin", func(r rune, value string) {
		for s := range strings.FieldsSeq(value) {
			add(r, s)
		}
	})
	known := maps.Clone(readings)
	read("Unihan_Variants.txt", "kSimplifiedVariant", func(r rune, value string) {
		for simplified := range strings.FieldsSeq(value) {
			for _, s := range known[codePoint(simplified)] {
				add(r, s)
			}
		}
	})
	read("Unihan_Readings.txt", "kTGHZ2013", func(r rune, value string) {
		if len(known[r]) > 0 {
			return
		}
		for s := range strings.FieldsSeq(value) {
			_, s, _ = strings.Cut(s, ":")
			add(r, s)
		}
	})
	write(readings)
}

// read goes through a field of a file of the database.
func read(file, field string, do func(r rune, value string)) {
	f, err := os.Open(filepath.Join(os.Args[1], file))
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		columns := strings.Split(lines.Text(), "\t")
		if len(columns) != 3 || columns[1] != field {
			continue
		}
		do(codePoint(columns[0]), columns[2])
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
}

// codePoint reads U+4E50.
func codePoint(s string) rune {
	code, err := strconv.ParseUint(strings.TrimPrefix(s, "U+"), 16, 32)
	if err != nil {
		log.Fatal(err)
	}
	return rune(code)
}

// leastShare is how often of a hundred times a character must be read in a way
// for a listener to think of it.
const leastShare = 3

var counted = regexp.MustCompile(`(\S+)\((\d+)\)`)

// frequent goes through the readings of "lè(283) yuè(54)" that are not rare.
func frequent(value string, do func(syllable string)) {
	all := counted.FindAllStringSubmatch(value, -1)
	total := 0
	for _, m := range all {
		n, _ := strconv.Atoi(m[2])
		total += n
	}
	for _, m := range all {
		if n, _ := strconv.Atoi(m[2]); n*100 >= total*leastShare {
			do(m[1])
		}
	}
}

// plain takes the tone off a syllable.
func plain(s string) string {
	s = strings.ReplaceAll(norm.NFD.String(s), "u\u0308", "v")
	s = strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return -1
		}
		return r
	}, s)
	if !strings.ContainsAny(s, "aeiouv") { // sounds such as hm and ng, which no name has
		return ""
	}
	return s
}

func write(readings map[rune][]string) {
	characters := make(map[string][]rune)
	for r, syllables := range readings {
		for _, s := range syllables {
			characters[s] = append(characters[s], r)
		}
	}
	fmt.Print(header)
	for _, s := range slices.SortedFunc(maps.Keys(characters), cmp.Compare) {
		slices.Sort(characters[s])
		fmt.Println(s, string(characters[s]))
	}
}
