package manifest

import (
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"go.yaml.in/yaml/v3"
)

// placed is a manifest with the places that the other files' checks point to.
type placed struct {
	Manifest

	intents   map[string]*yaml.Node
	languages map[string]*yaml.Node
}

func defaults() Manifest {
	return Manifest{
		State: StateNone, StateVersion: 1,
		Limits: Limits{
			MemoryMiB: 64, CPU: 0.5, Timeout: 5 * time.Second, Concurrency: 16,
			MaxInstances: 4, Idle: time.Minute,
		},
	}
}

// manifest reads skill.yaml.
func (f *file) manifest() *placed {
	m := &placed{
		Manifest: defaults(), intents: make(map[string]*yaml.Node), languages: make(map[string]*yaml.Node),
	}
	root := f.root()
	if root == nil {
		return m
	}
	required := map[string]bool{"hark": true, "name": true, "version": true, "runtime": true, "languages": true, "triggers": true}
	for _, field := range f.mapping(root, FileName) {
		delete(required, field.key.Value)
	}
	for _, name := range slices.Sorted(maps.Keys(required)) {
		f.fail(nil, "%q is missing", name)
	}
	f.fields(root, FileName, readers{
		"hark":        f.format,
		"name":        func(n *yaml.Node) { m.Name = f.skillName(n) },
		"version":     func(n *yaml.Node) { m.Version = f.version(n) },
		"description": func(n *yaml.Node) { m.Description = f.description(n) },
		"runtime":     func(n *yaml.Node) { m.Runtime = f.runtime(n) },
		"languages":   func(n *yaml.Node) { f.languageList(n, m) },
		"triggers":    func(n *yaml.Node) { f.triggers(n, m) },
		"state":       func(n *yaml.Node) { m.State = f.stateScope(n) },
		"state_version": func(n *yaml.Node) {
			m.StateVersion = f.between(n, "state_version", 1, 1_000_000)
		},
		"limits":      func(n *yaml.Node) { f.limits(n, &m.Limits) },
		"settings":    func(n *yaml.Node) { f.later(n, "settings") },
		"permissions": func(n *yaml.Node) { f.permissions(n, m) },
	})
	return m
}

func (f *file) format(n *yaml.Node) {
	if n.Value != "1" {
		f.fail(n, "hark: the version of the format is %.20q, and this Hark knows 1", n.Value)
	}
}

func (f *file) skillName(n *yaml.Node) string {
	name := f.text(n, "name")
	if err := assistant.CheckName(name); err != nil {
		f.fail(n, "name: %v", err)
	}
	return name
}

func (f *file) version(n *yaml.Node) string {
	v := f.text(n, "version")
	if !isVersion(v) {
		f.fail(n, "version %.40q: write three numbers, such as 1.0.0 or 1.0.0-beta.2", v)
	}
	return v
}

func (f *file) description(n *yaml.Node) map[string]string {
	if n.Kind == yaml.ScalarNode {
		return map[string]string{"": n.Value}
	}
	texts := make(map[string]string)
	for _, field := range f.mapping(n, "description") {
		texts[f.language(field.key)] = f.text(field.value, "description")
	}
	return texts
}

func (f *file) runtime(n *yaml.Node) Runtime {
	var r Runtime
	set := 0
	f.fields(n, "runtime", readers{
		"go": func(n *yaml.Node) {
			set++
			r.Go = path.Clean(f.text(n, "runtime.go"))
			if r.Go == ".." || strings.HasPrefix(r.Go, "../") || path.IsAbs(r.Go) {
				f.fail(n, "runtime.go: %q is not within the skill's folder", n.Value)
			}
		},
		"command": func(n *yaml.Node) {
			set++
			r.Command = f.texts(n, "runtime.command")
			if len(r.Command) == 0 || r.Command[0] == "" {
				f.fail(n, "runtime.command must name a program")
			}
		},
		"image": func(n *yaml.Node) {
			set++
			if r.Image = f.text(n, "runtime.image"); r.Image == "" {
				f.fail(n, "runtime.image must name an image")
			}
		},
	})
	if set != 1 {
		f.fail(n, "runtime must have exactly one of go, command and image, such as {go: .}")
	}
	return r
}

func (f *file) languageList(n *yaml.Node, m *placed) {
	for _, entry := range f.sequence(n, "languages") {
		lang := f.language(entry)
		if m.languages[lang] != nil {
			f.fail(entry, "languages: %s is here twice", lang)
			continue
		}
		m.languages[lang] = entry
		m.Languages = append(m.Languages, lang)
	}
	if len(m.Languages) == 0 || len(m.Languages) > MaxLanguages {
		f.fail(n, "languages must be a list of 1 to %d languages, such as [en, zh-CN]", MaxLanguages)
	}
}

func (f *file) language(n *yaml.Node) string {
	lang := f.text(n, "a language")
	if canonical := canonicalLanguage(lang); canonical == "" {
		f.fail(n, "%.40q is not a language: write a tag such as en or zh-CN", lang)
	} else if canonical != lang {
		f.fail(n, "language %q: write it %q", lang, canonical)
	}
	return lang
}

func (f *file) triggers(n *yaml.Node, m *placed) {
	f.fields(n, "triggers", readers{
		"intents": func(n *yaml.Node) {
			for _, entry := range f.sequence(n, "triggers.intents") {
				name := f.identifier(entry, "triggers.intents")
				if m.intents[name] != nil {
					f.fail(entry, "triggers.intents: %s is here twice", name)
					continue
				}
				m.intents[name] = entry
				m.Intents = append(m.Intents, name)
			}
		},
		"reading":  func(n *yaml.Node) { f.later(n, "triggers.reading") },
		"schedule": func(n *yaml.Node) { f.later(n, "triggers.schedule") },
		"http":     func(n *yaml.Node) { f.later(n, "triggers.http") },
	})
	if len(m.Intents) == 0 || len(m.Intents) > MaxIntents {
		f.fail(n, "triggers.intents must be a list of 1 to %d intents", MaxIntents)
	}
}

func (f *file) permissions(n *yaml.Node, m *placed) {
	known := readers{"entities": func(n *yaml.Node) { m.Entities = f.domains(n) }}
	for _, name := range []string{"topics", "hosts", "secrets"} {
		known[name] = func(n *yaml.Node) { f.later(n, "permissions."+name) }
	}
	f.fields(n, "permissions", known)
}

// domains reads the domains of entities that the skill asks for.
func (f *file) domains(n *yaml.Node) []string {
	var domains []string
	for _, entry := range f.sequence(n, "permissions.entities") {
		domain := f.text(entry, "permissions.entities")
		if err := assistant.CheckName(domain); err != nil {
			f.fail(entry, "permissions.entities: a domain such as light: %v", err)
		}
		if slices.Contains(domains, domain) {
			f.fail(entry, "permissions.entities: %s is here twice", domain)
			continue
		}
		domains = append(domains, domain)
	}
	if len(domains) > MaxDomains {
		f.fail(n, "permissions.entities has %d domains: %d at most", len(domains), MaxDomains)
	}
	return domains
}

// later refuses a part of the format that this version cannot honor, so that
// nobody relies on it in vain. An empty one asks for nothing.
func (f *file) later(n *yaml.Node, what string) {
	if len(n.Content) > 0 || n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		f.fail(n, "%s is not supported by this version of Hark yet: remove it", what)
	}
}

func (f *file) stateScope(n *yaml.Node) StateScope {
	scopes := []string{string(StateNone), string(StateDialogue), string(StateHome)}
	if !slices.Contains(scopes, n.Value) {
		f.fail(n, "%s", unknown("state", n.Value, scopes))
	}
	return StateScope(n.Value)
}

func (f *file) limits(n *yaml.Node, l *Limits) {
	f.fields(n, "limits", readers{
		"memory":        func(n *yaml.Node) { l.MemoryMiB = f.memory(n) },
		"cpu":           func(n *yaml.Node) { l.CPU = f.cpu(n) },
		"timeout":       func(n *yaml.Node) { l.Timeout = f.duration(n, "limits.timeout", 100*time.Millisecond, 30*time.Second) },
		"concurrency":   func(n *yaml.Node) { l.Concurrency = f.between(n, "limits.concurrency", 1, 1000) },
		"min_instances": func(n *yaml.Node) { l.MinInstances = f.between(n, "limits.min_instances", 0, 100) },
		"max_instances": func(n *yaml.Node) { l.MaxInstances = f.between(n, "limits.max_instances", 1, 100) },
		"idle":          func(n *yaml.Node) { l.Idle = f.duration(n, "limits.idle", time.Second, 24*time.Hour) },
	})
	if l.MinInstances > l.MaxInstances {
		f.fail(n, "limits: min_instances (%d) is more than max_instances (%d)", l.MinInstances, l.MaxInstances)
	}
}

func (f *file) memory(n *yaml.Node) int64 {
	const low, high = 16, 16 << 10
	factor := int64(1)
	number, ok := strings.CutSuffix(n.Value, "MiB")
	if !ok {
		factor = 1 << 10
		number, ok = strings.CutSuffix(n.Value, "GiB")
	}
	v, err := strconv.ParseInt(strings.TrimSpace(number), 10, 32)
	if !ok || err != nil || v*factor < low || v*factor > high {
		f.fail(n, "limits.memory must be from %dMiB to %dGiB, such as 64MiB", low, high>>10)
		return 0
	}
	return v * factor
}

func (f *file) cpu(n *yaml.Node) float64 {
	const low, high = 0.05, 16
	v := f.number(n, "limits.cpu")
	if v < low || v > high {
		f.fail(n, "limits.cpu must be from %v to %d processors", low, high)
	}
	return v
}

func (f *file) duration(n *yaml.Node, what string, low, high time.Duration) time.Duration {
	d, err := time.ParseDuration(n.Value)
	if err != nil || d < low || d > high {
		f.fail(n, "%s must be from %v to %v, such as 5s", what, low, high)
		return 0
	}
	return d
}
