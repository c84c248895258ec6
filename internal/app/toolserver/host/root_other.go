//go:build !unix

package host

import "os"

// takeToken returns the token and removes it from the environment.
func takeToken(env *variables) (string, error) {
	return env.take(TokenVariable), os.Unsetenv(TokenVariable)
}

// giveUpRoot: there is no root here.
func giveUpRoot(string, *variables) (string, error) { return "", nil }
