//go:build !linux

package proc

import "context"

func landlocked() Layer { return Layer{Landlock, false, "only Linux has it"} }

func bubblewrap(context.Context) Layer { return Layer{Bubblewrap, false, "only Linux has it"} }

// wrap is never reached: no fence works here.
func (s *Sandbox) wrap(argv []string) []string { return argv }

// SandboxMain has nothing to do here: there is no fence to enter.
func SandboxMain([]string) (handled bool, code int) { return false, 0 }
