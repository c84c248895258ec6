// Package evidence is what a session knows about where its claims come from:
// the ledger of what was looked up, the references that a text makes, and which
// of them nothing in the ledger stands behind. It is pure: it fetches nothing,
// stores nothing and does not know who shows what it finds.
//
// A reference is a mark of the ledger ([S12]), a web address or an arXiv id.
// Text inside fenced code blocks makes none: commands and samples cite nothing.
// Text between single backquotes does. Addresses of this machine and of the
// pages of running jobs are no references either: nobody cites them.
package evidence
