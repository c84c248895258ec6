// Package wholestack holds no code, only tests: the real clients of the model
// services, the real caller with its waits and heals, the real engine and real
// tools, joined as in the program. Only the network is scripted, in memory, so
// that the tests can stand still while hours pass. It does not know the
// command line.
package wholestack
