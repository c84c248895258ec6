package screentest

import "golang.org/x/sys/unix"

// Cooked reports whether the terminal shows what is typed and gives it to
// programs line by line, as a shell wants it.
func (x *Terminal) Cooked() bool {
	x.t.Helper()
	state, err := unix.IoctlGetTermios(int(x.file.Fd()), unix.TCGETS)
	if err != nil {
		x.t.Fatalf("ask the pseudo-terminal: %v", err)
	}
	return state.Lflag&unix.ECHO != 0 && state.Lflag&unix.ICANON != 0 && state.Lflag&unix.ISIG != 0 && state.Oflag&unix.OPOST != 0
}

// Cook gives the terminal the modes of a shell, as one does that has stopped a
// program.
func (x *Terminal) Cook() {
	x.t.Helper()
	fd := int(x.file.Fd())
	state, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err == nil {
		state.Lflag |= unix.ECHO | unix.ICANON | unix.ISIG
		state.Oflag |= unix.OPOST
		state.Iflag |= unix.ICRNL
		err = unix.IoctlSetTermios(fd, unix.TCSETS, state)
	}
	if err != nil {
		x.t.Fatalf("set the modes of the pseudo-terminal: %v", err)
	}
}
