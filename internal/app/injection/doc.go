// Package injection holds no code, only tests: what becomes of instructions
// that stand in papers, pages, cards, rows, issues and other texts of others,
// when the model does everything it reads. The whole program is real, its
// engine, tools, rules and HTTP clients; the Hub and its neighbours are
// simulated, and a server stands by that must hear nothing. It does not know
// the command line.
package injection
