package skills

import (
	"bytes"
	"embed"
	"fmt"
	"math"
	"strconv"
	"strings"
	"text/template"
	"time"

	"go.yaml.in/yaml/v3"
)

//go:embed languages/*.yaml
var languageFiles embed.FS

// language is how one language says times and numbers, see languages/en.yaml.
type language struct {
	Weekdays [7]string  `yaml:"weekdays"`
	Months   [12]string `yaml:"months"`
	Clock    form       `yaml:"clock"`
	Date     form       `yaml:"date"`
	Plural   form       `yaml:"plural"`
	Number   struct {
		Decimal string `yaml:"decimal"`
		Group   string `yaml:"group"`
	} `yaml:"number"`
	Duration struct {
		Day           []string `yaml:"day"`
		Hour          []string `yaml:"hour"`
		Minute        []string `yaml:"minute"`
		Second        []string `yaml:"second"`
		Each          form     `yaml:"each"`
		Join          joint    `yaml:"join"`
		Adjective     form     `yaml:"adjective"`
		AdjectiveJoin joint    `yaml:"adjective_join"`
	} `yaml:"duration"`
	List joint `yaml:"list"`
}

// parseLanguage reads a language file.
func parseLanguage(name string, data []byte) (*language, error) {
	var l language
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&l); err != nil {
		return nil, fmt.Errorf("read the language file %s: %w", name, err)
	}
	return &l, nil
}

// helpers are the functions of an answer's text. Times are said in the zone.
func (l *language) helpers(zone *time.Location) template.FuncMap {
	return template.FuncMap{
		"clock":             func(t time.Time) (string, error) { return l.clock(t.In(zone)) },
		"weekday":           func(t time.Time) string { return l.Weekdays[t.In(zone).Weekday()] },
		"date":              func(t time.Time) (string, error) { return l.date(t.In(zone)) },
		"duration":          l.duration,
		"durationAdjective": l.durationAdjective,
		"number":            l.number,
		"plural":            l.plural,
		"list":              func(words []string) string { return l.List.join(words) },
	}
}

func (l *language) clock(t time.Time) (string, error) {
	return l.Clock.render(map[string]any{
		"Hour": t.Hour(), "Hour12": (t.Hour()+11)%12 + 1, "Minute": t.Minute(),
	})
}

func (l *language) date(t time.Time) (string, error) {
	return l.Date.render(map[string]any{
		"Year": t.Year(), "Month": l.Months[t.Month()-1], "MonthNumber": int(t.Month()), "Day": t.Day(),
	})
}

func (l *language) duration(v any) (string, error) {
	return l.sayDuration(v, l.Duration.Each, l.Duration.Join)
}

func (l *language) durationAdjective(v any) (string, error) {
	return l.sayDuration(v, l.Duration.Adjective, l.Duration.AdjectiveJoin)
}

// sayDuration says a duration to the second, each unit by the form.
func (l *language) sayDuration(v any, each form, join joint) (string, error) {
	d, err := asDuration(v)
	if err != nil {
		return "", err
	}
	rest := int64(d.Round(time.Second).Abs() / time.Second)
	var parts []string
	for _, unit := range []struct {
		seconds int64
		words   []string
	}{
		{86400, l.Duration.Day}, {3600, l.Duration.Hour}, {60, l.Duration.Minute}, {1, l.Duration.Second},
	} {
		n := rest / unit.seconds
		rest %= unit.seconds
		if n == 0 && (unit.seconds > 1 || len(parts) > 0) {
			continue
		}
		word, err := l.plural(n, unit.words...)
		if err != nil {
			return "", err
		}
		part, err := each.render(map[string]any{"N": n, "Unit": word, "First": unit.words[0]})
		if err != nil {
			return "", err
		}
		parts = append(parts, part)
	}
	return join.join(parts), nil
}

// number says a number with at most two decimals.
func (l *language) number(v any) (string, error) {
	n, err := asNumber(v)
	if err != nil {
		return "", err
	}
	text := strconv.FormatFloat(math.Abs(n), 'f', 2, 64)
	whole, decimals, _ := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + l.Number.Group + whole[i:]
	}
	if decimals = strings.TrimRight(decimals, "0"); decimals != "" {
		whole += l.Number.Decimal + decimals
	}
	if n < 0 && whole != "0" {
		whole = "-" + whole
	}
	return whole, nil
}

// plural chooses the form that goes with a number; the last one stands in for
// those that are not given.
func (l *language) plural(v any, forms ...string) (string, error) {
	n, err := asNumber(v)
	if err != nil {
		return "", err
	}
	if len(forms) == 0 {
		return "", fmt.Errorf("plural needs the forms to choose from")
	}
	text, err := l.Plural.render(n)
	if err != nil {
		return "", err
	}
	i, err := strconv.Atoi(text)
	if err != nil || i < 0 {
		return "", fmt.Errorf("the rule for plurals gave %q, not the index of a form", text)
	}
	return forms[min(i, len(forms)-1)], nil
}

// joint joins words to a list: two by pair, more by comma and, in the end, last.
type joint struct {
	Pair  string `yaml:"pair"`
	Comma string `yaml:"comma"`
	Last  string `yaml:"last"`
}

func (j joint) join(words []string) string {
	switch n := len(words); n {
	case 0:
		return ""
	case 1:
		return words[0]
	case 2:
		return words[0] + j.Pair + words[1]
	default:
		return strings.Join(words[:n-1], j.Comma) + j.Last + words[n-1]
	}
}

// form is a template in a language file.
type form struct{ *template.Template }

// UnmarshalYAML parses the template.
func (f *form) UnmarshalYAML(node *yaml.Node) error {
	pad := func(n int) string { return fmt.Sprintf("%02d", n) }
	t, err := template.New("form").Funcs(template.FuncMap{"pad": pad}).Parse(node.Value)
	f.Template = t
	return err
}

func (f form) render(data any) (string, error) {
	var b strings.Builder
	err := f.Execute(&b, data)
	return b.String(), err
}

func asDuration(v any) (time.Duration, error) {
	if d, ok := v.(time.Duration); ok {
		return d, nil
	}
	n, err := asNumber(v)
	return time.Duration(n * float64(time.Second)), err
}

func asNumber(v any) (float64, error) {
	switch n := v.(type) {
	case float64:
		return n, nil
	case int:
		return float64(n), nil
	case int64:
		return float64(n), nil
	default:
		return 0, fmt.Errorf("%v (%T) is not a number: want float64, int or int64", v, v)
	}
}
