package nlu

import (
	"slices"
	"testing"
)

func TestRooms(t *testing.T) {
	rooms, err := LoadRooms()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"kitchen": "kitchen", "Kitchen": "kitchen", "厨房": "kitchen", "living_room": "living_room", "Living-Room": "living_room",
		"lounge": "living_room", "客厅": "living_room", "KIDS ROOM": "childrens_room", "洗手间": "bathroom", "阳台": "balcony",
		"": "", "kitchens": "", "bridge": "", "厨": "",
	} {
		if name, ok := rooms.Name(text); name != want || ok != (want != "") {
			t.Errorf("%q means %q, want %q", text, name, want)
		}
	}
	for text, want := range map[string]string{
		"Kitchen light": "kitchen", "kitchen": "kitchen", "厨房灯": "kitchen", "主卧台灯": "master_bedroom", "kitchen-lamp": "kitchen",
		"kitchenette lamp": "kitchen", "Living room ceiling": "living_room", "garden shed lamp": "shed",
		"studying lamp": "", "lamp in the kitchen": "", "": "",
	} {
		if name, ok := rooms.Leading(text); name != want || ok != (want != "") {
			t.Errorf("%q begins with the room %q, want %q", text, name, want)
		}
	}
	if got := rooms.Words("zh-CN", "kitchen"); len(got) == 0 || got[0] != "厨房" {
		t.Errorf("the kitchen in Chinese: %q", got)
	}
	if got := rooms.Words("xx", "kitchen"); got != nil {
		t.Errorf("the kitchen in no language: %q", got)
	}
}

// All languages know the same rooms, and no word means two.
func TestRoomWordsAreClear(t *testing.T) {
	rooms, err := LoadRooms()
	if err != nil {
		t.Fatal(err)
	}
	taken := make(map[string]string)
	for lang, words := range rooms.words {
		if len(words) != len(rooms.words["en"]) {
			t.Errorf("%s knows %d rooms, en %d", lang, len(words), len(rooms.words["en"]))
		}
		for name, list := range words {
			if len(list) == 0 || slices.Contains(list, "") {
				t.Errorf("%s has no word for %s", lang, name)
			}
			for _, w := range list {
				if other := taken[Fold(w)]; other != "" && other != name {
					t.Errorf("%s: %q means %s and %s", lang, w, name, other)
				}
				taken[Fold(w)] = name
			}
		}
	}
}

func TestFold(t *testing.T) {
	for text, want := range map[string]string{
		"Desk  Lamp": "desk lamp", "desk_lamp": "desk lamp", " ＬＥＤ灯 ": "led灯", "A.C.": "a.c", "???": "", "": "",
	} {
		if got := Fold(text); got != want {
			t.Errorf("%q folds to %q, want %q", text, got, want)
		}
	}
}
