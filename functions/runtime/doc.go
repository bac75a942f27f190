// Package runtime runs instances of skill functions. What comes in is a Spec,
// what goes out is an Instance: a gRPC connection, a CPU meter and a way to end
// it. It must not know homes, turns or what is said over the connection.
package runtime
