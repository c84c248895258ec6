// Package transcript makes a stored conversation fit for a provider's wire: it
// copies the messages, drops what no provider accepts, gives tool calls ids
// and names that the target allows, reads content parts, shortens old output,
// and encodes text as JSON. It knows no provider's request format and never
// changes the stored messages. Dangling calls and results are not mended here:
// the engine has done that before a request is made.
package transcript
