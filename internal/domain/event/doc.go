// Package event holds the words of a session: the operations people and
// programs submit, the events a session answers with, and their one JSON form.
// The same bytes stand in the journal, in stream-json output and in
// server-sent events. The package does no I/O and knows neither who stores
// events nor who shows them.
package event
