package assistant

import "time"

// SkillVersion is one deployed build of a skill. It never changes; its id names
// its content.
type SkillVersion struct {
	Skill    string    `json:"skill"`
	ID       string    `json:"id"`       // "1.0.0-3f9a0c12b7e4": the manifest's version and the start of the content hash
	Source   string    `json:"source"`   // hash of what it was built from, to see whether a build would give the same
	Artifact string    `json:"artifact"` // hash of the archive in the artifact store
	Manifest []byte    `json:"manifest"` // skill.yaml as deployed
	Created  time.Time `json:"created"`
	// Sentences holds sentences/<lang>.yaml by language.
	Sentences map[string][]byte `json:"sentences"`
}

// LiveSkill is a skill with the version that answers now.
type LiveSkill struct {
	Skill   string    `json:"skill"`
	Version string    `json:"version"`
	Since   time.Time `json:"since"`
}
