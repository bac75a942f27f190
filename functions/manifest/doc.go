// Package manifest reads a skill's folder: skill.yaml and sentences/<lang>.yaml
// come in, a checked Skill goes out, or every problem with its place. It must
// not know where the folder lies, how the skill is run, or who may deploy it.
//
// skill.yaml, with the defaults of what may be left out:
//
//	hark: 1
//	name: timer                   # a-z, 0-9, . _ -
//	version: 1.0.0
//	description: Sets timers.     # or {en: ..., zh-CN: ...}; none
//	runtime: {go: .}              # or {command: [./skill]} or {image: NAME}
//	languages: [en, zh-CN]        # each has sentences/<lang>.yaml
//	triggers:
//	  intents: [SetTimer]
//	permissions:
//	  entities: [light, switch]   # domains that the skill may see and command; none
//	state: none                   # or dialogue, or home
//	state_version: 1
//	limits:
//	  memory: 64MiB
//	  cpu: 0.5                    # of one processor
//	  timeout: 5s                 # of one call
//	  concurrency: 16             # calls at once in one instance
//	  min_instances: 0
//	  max_instances: 4
//	  idle: 60s                   # an instance without calls is stopped
//
// sentences/en.yaml; all but intents may be left out. YAML wants quotes around a
// text that begins with [ or {, or has a colon before a blank in it:
//
//	language: en
//	intents:
//	  SetTimer:
//	    - set a timer for {duration}      # one way to say it
//	    - "[please] start a timer"
//	    - sentences: [start [the] egg timer]
//	      slots: {duration: 360}          # where the sentence has none
//	      requires: {area: {slot: area}}  # see nlu.Condition; so has excludes
//	lists:                                # a group may have its own, so with rules
//	  size: [small, {in: (big|large), out: L, context: {domain: light}}]
//	  volume: 0..100                      # or 0..100,5: in steps
//	  level: {from: 0, to: 1, step: 0.1, fractions: halves, multiplier: 100}
//	  message: wildcard
//	rules:
//	  start: (set|start) [up]
//	skip_words: [please]
//	answers:                              # text/template; a list: any of them
//	  set: Timer set for {{duration .Duration}}.
//	home:                                 # what the tests speak of, for them alone
//	  area: kitchen                       # of the device that hears them
//	  now: 2026-11-25T10:00:00            # when, in UTC, they are said; this is a Wednesday, and what it is if left out
//	  entities:                           # domain: what the id begins with
//	    - {id: light.desk, name: desk lamp, area: study, state: {state: "on"}, offline: true}
//	tests:
//	  - {say: set a timer for one minute, intent: SetTimer, slots: {duration: 60}, answer: Timer set for 1 minute.}
//	  - {say: wake me tomorrow at seven, intent: SetAlarm, slots: {time: 2026-11-26T07:00:00}}
package manifest
