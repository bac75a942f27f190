// Package cli is Hark's command line: words come in, calls of /api/v1 go out,
// and what comes back is shown. It is a client of /api/v1 and, for `skill new` and
// `skill test`, looks into a skill's folder; it must not know the store, the broker
// or how anything is done.
package cli
