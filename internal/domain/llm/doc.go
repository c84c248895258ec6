// Package llm holds the words for talking to a language model: messages as
// they are stored, requests, streamed chunks, usage, prices and the kinds of
// failure. It knows no provider, no wire format and does no I/O; adapters
// translate between these types and a provider's HTTP API.
package llm
