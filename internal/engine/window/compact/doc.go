// Package compact condenses a history that has grown too long for a model's
// window, in steps each of which is cheaper than giving up: huge messages
// become placeholders, a model summarises the middle, in parts where it must,
// a list made without a model takes its place where that fails, and old tool
// outputs and messages go last. It knows no provider and no session: the model
// call and the facts of the session come in as functions.
package compact
