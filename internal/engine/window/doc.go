// Package window decides what of a conversation fits a model's window: it
// estimates tokens without a tokenizer, keeps a running count of the context,
// mends a history so that every tool call has its result, takes turns back and
// condenses a history that has grown too long. It works on values only: it
// knows no provider, no session, no journal, and the one model call it may need
// comes in as a function.
package window
