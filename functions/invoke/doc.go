// Package invoke calls skill functions. What comes in is an assistant.Call, what
// goes out is a checked answer and the metering of each attempt. It must not know
// how an instance is run, what is done with the answer, or any topic or store.
package invoke
