// Package arguments checks what a model passes to a tool against the tool's
// JSON schema, and puts it into one normal form: the form that is shown,
// judged and run. It mends only what loses nothing. It knows no tool, does no
// I/O and decides nothing about whether a call may run.
package arguments
