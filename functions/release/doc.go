// Package release brings a skill folder into service: a folder comes in, a
// version that answers comes out, or an error that says what to mend. It reads
// the manifest, builds, packs, tests, starts one instance, and only then moves
// the alias `live`; the version that ran before serves until that moment.
//
// It must not know how a sentence is routed or an instance is run.
package release
