// Package admin is the Admin service: what operators and their tools may ask of
// a running Hark, as JSON under /api/v1. Requests come in, the store and the
// rooms answer. It must not know how the command line or a page shows it.
//
// /livez and /readyz are open; all else needs the operator's token.
package admin
