package hooks

import "github.com/ml-intern/ml-intern/internal/domain/hook"

// Read is read, for tests.
func Read(moment hook.Moment, exit int, signal string, output, errors []byte) (hook.Answer, string) {
	return read(moment, ending{exit: exit, signal: signal, output: output, errors: errors})
}
