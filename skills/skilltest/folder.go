package skilltest

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/hark-voice/hark/skills"
	"go.yaml.in/yaml/v3"
)

// folder is what skill.yaml says about handlers. The whole of it is checked by
// `hark skill deploy`.
type folder struct {
	State    string `yaml:"state"`
	Triggers struct {
		Intents []string `yaml:"intents"`
	} `yaml:"triggers"`
	Permissions struct {
		Entities []string `yaml:"entities"`
	} `yaml:"permissions"`
}

func readFolder(files fs.FS) (folder, error) {
	var f folder
	data, err := fs.ReadFile(files, "skill.yaml")
	if err != nil {
		return f, fmt.Errorf("read the skill's folder, which skills.Skill.Files names: %w", err)
	}
	if err := yaml.Unmarshal(data, &f); err != nil {
		return f, fmt.Errorf("read skill.yaml: %w", err)
	}
	return f, nil
}

func (f folder) check(s skills.Skill) error {
	var errs []error
	for _, name := range f.Triggers.Intents {
		if s.Intents[name] == nil {
			errs = append(errs, fmt.Errorf("skill.yaml: intent %q has no handler: add one to skills.Skill.Intents", name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Intents)) {
		if !slices.Contains(f.Triggers.Intents, name) {
			errs = append(errs, fmt.Errorf("skill.yaml: intent %q has a handler, but is not among triggers.intents", name))
		}
	}
	return errors.Join(errs...)
}

func (f folder) keepsState() bool { return f.State == "home" || f.State == "dialogue" }
