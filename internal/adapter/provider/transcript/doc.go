// Package transcript makes a stored conversation fit for a provider's wire: it
// copies the messages, drops what no provider accepts, gives tool calls ids
// and names that the target allows, reads content parts, shortens old output,
// and encodes text as JSON. A [Thread] keeps what came of it from one request of
// a conversation to the next, so that a turn costs what is new in it. The
// package knows no provider's request format, which is a [Format] to it, and
// never changes the stored messages. Dangling calls and results are not mended here:
// the engine has done that before a request is made.
package transcript
