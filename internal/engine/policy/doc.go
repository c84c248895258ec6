// Package policy decides what an agent may do: which calls run, ask or are
// refused (modes and rules), and what still fits under the spending cap (the
// ledger). It is pure computation over values it is given: it runs no tool,
// reads no file, asks nobody and knows neither the session nor its journal.
// What its reading of shell commands finds is a help for people, not a
// boundary: a program can do anything once it runs.
package policy
