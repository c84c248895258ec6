// Package writetest proves the writing parts of the Hub's client against the
// simulated Hub, with its faults. It holds no code of its own.
package writetest
