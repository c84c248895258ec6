// Package endtoend holds tests of the whole program: the real binary against a
// scripted model on loopback. They kill it at random points, plant secrets
// everywhere it looks and take its disk away. The package has no code of its
// own and knows the program only from outside: its flags, its streams, its
// exit codes and the files it leaves.
package endtoend
