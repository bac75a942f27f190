package router

import "testing"

func TestGivenUp(t *testing.T) {
	for _, c := range []struct {
		skills []string
		want   string
	}{
		{nil, ""},
		{[]string{"a", "b"}, "; the search was given up for a, b, whose sentences fit in too many ways"},
	} {
		if got := givenUp(c.skills); got != c.want {
			t.Errorf("%v: %q, want %q", c.skills, got, c.want)
		}
	}
}
