// Package skills is the Go SDK: a skill is handlers in Go and a folder with its
// sentences.
//
// Requests of Hark come in, as calls of handlers; answers go out, as speech
// with the effects that belong to it. The package must not know how sentences
// are understood or where state is kept: both travel with the call.
//
// A whole skill:
//
//	func main() { skills.Serve(skill()) }
//
//	func skill() skills.Skill {
//		return skills.Skill{Intents: skills.Intents{"Greet": greet}}
//	}
//
//	func greet(ctx context.Context, call *skills.Call) (*skills.Answer, error) {
//		return call.Say("hello", skills.Data{"Room": call.Area}), nil
//	}
//
// with the text in sentences/en.yaml:
//
//	intents:
//	  Greet:
//	    - say hello
//	answers:
//	  hello: Hello{{with .Room}} to the {{.}}{{end}}!
//
// Helpers that speak the language of the answer (.T is a time.Time, .D a
// time.Duration or a number of seconds, .N a number):
//
//	{{clock .T}}             3:05 PM              下午3点05分
//	{{weekday .T}}           Sunday               星期日
//	{{date .T}}              November 22          11月22号
//	{{duration .D}}          1 hour and 5 minutes 1小时5分钟
//	{{durationAdjective .D}} 5-minute (timer)     5分钟
//	{{number .N}}            1,234.5              1234.5
//	{{plural .N "egg" "eggs"}}  the form that goes with the number
//	{{list .Words}}          a, b and c           a、b和c
//
// A language is a file in the SDK's folder languages; text in a language that
// has none there uses the forms of English.
//
// What an answer asks for happens once and together with its speech, or not at
// all. The handler may run more than once to get there, always with the same
// [Call.ID].
package skills
