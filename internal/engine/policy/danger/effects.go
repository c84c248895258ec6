package danger

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/engine/policy/shell"
)

// unknown are the marks of text that cannot be told.
const unknown = string(shell.Any) + string(shell.Glob)

// effects notes what a well-known program does to files, disks, processes and
// the machine.
func (j *judge) effects(name string, args []shell.Word) {
	switch name {
	case "sudo", "doas", "su", "pkexec", "runuser", "run0":
		j.hazard("runs as another user (%s)", name)
	case "kill", "pkill", "killall", "skill", "xkill", "fuser":
		j.kills(name, args)
	case "shutdown", "reboot", "halt", "poweroff", "telinit":
		j.hazard("stops the machine (%s)", name)
	case "systemctl", "service":
		if hasWord(args, "stop", "restart", "disable", "mask", "kill", "poweroff", "reboot", "halt", "isolate") {
			j.hazard("changes the machine's services (%s)", name)
		}
	case "git":
		if sub, rest, _ := shell.GitCommand(args); sub == "push" {
			j.push(rest)
		}
	case "find", "gfind":
		j.finds(args)
	default:
		if diskTool(name) {
			j.hazard("works on disks (%s)", name)
			return
		}
		j.files(name, args)
	}
}

// diskTool reports whether name changes disks, partitions or mounts.
func diskTool(name string) bool {
	return name == "mkfs" || strings.HasPrefix(name, "mkfs.") || slices.Contains([]string{
		"mke2fs", "fdisk", "sfdisk", "cfdisk", "gdisk", "sgdisk", "parted", "partprobe", "wipefs", "blkdiscard", "mkswap",
		"swapon", "swapoff", "mount", "umount", "losetup", "cryptsetup", "mdadm", "zpool", "zfs", "hdparm", "badblocks",
		"dmsetup", "fsck", "e2fsck", "resize2fs", "tune2fs", "lvcreate", "lvremove", "lvresize", "vgcreate", "vgremove",
		"pvcreate", "pvremove", "diskutil", "nvme", "debugfs",
	}, name)
}

// files notes the files that a program changes.
func (j *judge) files(name string, args []shell.Word) {
	plain := operands(args)
	switch name {
	case "rm", "unlink", "rmdir", "shred", "srm", "trash":
		deep := name == "rm" && hasFlag(args, 'r', "recursive") || name == "rm" && hasFlag(args, 'R', "")
		for _, w := range plain {
			if deep {
				j.remove(w)
			} else {
				j.write(w, false)
			}
		}
	case "tee", "touch", "mkdir", "truncate":
		j.writeAll(plain, false)
	case "chmod", "chown", "chgrp", "setfacl", "chattr":
		if len(plain) > 1 {
			j.modes(name, args, plain[1:])
		}
	case "mv":
		j.writeAll(plain, true)
		j.writeAll(optionValues(args, 't', "target-directory"), false)
	case "cp", "ln", "install", "rsync", "scp":
		j.copies(name, args, plain)
	case "sed", "perl":
		if hasFlag(args, 'i', "in-place") && len(plain) > 0 {
			j.writeAll(plain[min(1, len(plain)-1):], false)
		}
	case "dd":
		for _, w := range args {
			if to, ok := strings.CutPrefix(w.Text, "of="); ok {
				j.write(shell.Word{Text: to, Splits: w.Splits}, false)
			}
		}
	case "tar", "unzip":
		j.writeAll(optionValues(args, 'C', "directory"), false)
		j.writeAll(optionValues(args, 'd', ""), false)
	case "curl", "wget":
		j.writeAll(optionValues(args, 'o', "output"), false)
		j.writeAll(optionValues(args, 'P', "directory-prefix"), false)
		j.writeAll(optionValues(args, 0, "output-document"), false)
		if name == "wget" {
			j.writeAll(optionValues(args, 'O', ""), false)
		}
	}
}

// copies notes where a copying program writes.
func (j *judge) copies(name string, args, plain []shell.Word) {
	into := optionValues(args, 't', "target-directory")
	if name == "rsync" || len(into) == 0 {
		into = nil
		if len(plain) > 1 {
			into = plain[len(plain)-1:]
		}
	}
	for _, w := range into {
		if (name == "rsync" || name == "scp") && strings.Contains(w.Text, ":") {
			continue // another machine
		}
		if name == "rsync" && slices.ContainsFunc(args, func(a shell.Word) bool { return strings.HasPrefix(a.Text, "--del") }) {
			j.remove(w)
			continue
		}
		j.write(w, false)
	}
}

// finds notes what find removes or writes by itself.
func (j *judge) finds(args []shell.Word) {
	for i, w := range args {
		switch w.Text {
		case "-delete":
			for _, root := range shell.FindRoots(args) {
				j.remove(shell.Found(root, args))
			}
		case "-fprint", "-fprint0", "-fls", "-fprintf":
			if i+1 < len(args) {
				j.write(args[i+1], false)
			}
		}
	}
}

// modes notes changes of mode or owner.
func (j *judge) modes(name string, args, targets []shell.Word) {
	deep := hasFlag(args, 'R', "recursive")
	for _, w := range targets {
		found, ok := j.resolve(w)
		inside := ok && !slices.ContainsFunc(found, func(t shell.Target) bool { return !j.around.Inside(t.Path) })
		if deep && !inside {
			j.hazard("changes all modes or owners below %s (%s)", shown(w), name)
		}
	}
	j.writeAll(targets, deep)
}

// remove notes a recursive deletion.
func (j *judge) remove(w shell.Word) {
	found, ok := j.resolve(w)
	if !ok {
		j.hazard("deletes recursively where it cannot be told: %s", shown(w))
	}
	for _, t := range found {
		switch {
		case !j.around.Inside(t.Path):
			j.hazard("deletes recursively outside the workspace: %s", shown(w))
		case !j.around.strictlyInside(t.Path) && strings.Trim(t.Pattern, unknown+"/") == "":
			j.hazard("deletes the workspace itself: %s", shown(w))
		}
	}
	j.write(w, true)
}

func (j *judge) writeAll(words []shell.Word, deep bool) {
	for _, w := range words {
		j.write(w, deep)
	}
}

// write notes that the files w names are changed.
func (j *judge) write(w shell.Word, deep bool) {
	found, ok := j.resolve(w)
	if !ok {
		j.report.Writes = append(j.report.Writes, Write{Text: shown(w), Deep: deep})
		return
	}
	for _, t := range found {
		if device, harmless := deviceFile(t.Path); device {
			if !harmless {
				j.hazard("writes to the device %s", t.Path)
			}
			continue
		}
		why := j.around.Protected(t.Path)
		if why == "" && strings.HasPrefix(t.Pattern, ".") {
			why = "hidden files, among which may be protected ones"
		}
		if why != "" {
			j.hazard("changes %s", why)
		}
		j.report.Writes = append(j.report.Writes, Write{Path: t.Path, Text: shown(w), Deep: deep, Protected: why})
	}
}

// deviceFile reports whether p is a device, and whether writing there is
// harmless.
func deviceFile(p string) (device, harmless bool) {
	if !strings.HasPrefix(p, "/dev/") || strings.HasPrefix(p, "/dev/shm/") {
		return false, false
	}
	harmless = strings.HasPrefix(p, "/dev/fd/") ||
		slices.Contains([]string{"/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty", "/dev/zero"}, p)
	return true, harmless
}

// kills judges signals: probes, the shell's own jobs and the session's own
// processes are fine.
func (j *judge) kills(name string, args []shell.Word) {
	if name != "kill" {
		if name != "fuser" || hasFlag(args, 'k', "kill") {
			j.hazard("kills processes by name (%s)", name)
		}
		return
	}
	for i, w := range args {
		if w.Flag() && (w.Text == "-0" || w.Text == "-l" || w.Text == "-L") {
			return
		}
		if w.Text == "-s" || w.Text == "-n" {
			if i+1 < len(args) && args[i+1].Text == "0" {
				return
			}
		}
	}
	for i, w := range args {
		if i == 0 && w.Flag() || w.Text == "--" || i > 0 && (args[i-1].Text == "-s" || args[i-1].Text == "-n") {
			continue // the signal
		}
		if strings.HasPrefix(w.Text, "%") {
			continue // a job of this shell
		}
		pid, err := strconv.Atoi(w.Text)
		if err != nil {
			j.hazard("kills processes that cannot be told")
			continue
		}
		if pid == -1 || pid == 0 || j.around.Owned == nil || !j.around.Owned(max(pid, -pid)) {
			j.hazard("kills the process %d, which this session did not start", pid)
		}
	}
}

// push flags what overwrites or removes the remote's history.
func (j *judge) push(args []shell.Word) {
	for _, w := range args {
		text := w.Text
		short := w.Flag() && !strings.HasPrefix(text, "--")
		switch {
		case strings.HasPrefix(text, "--force"), short && strings.ContainsRune(text, 'f'), strings.HasPrefix(text, "+"),
			text == "--mirror", text == "--prune":
			j.hazard("overwrites history on the remote (git push %s)", shown(w))
		case text == "--delete", short && strings.ContainsRune(text, 'd'), strings.HasPrefix(text, ":"):
			j.hazard("deletes branches or tags on the remote (git push %s)", shown(w))
		case text != "" && strings.ContainsAny(text[:1], unknown):
			j.hazard("git push takes words that cannot be told")
		}
	}
}

// operands returns the words that are no options.
func operands(args []shell.Word) []shell.Word {
	var out []shell.Word
	for i, w := range args {
		if w.Text == "--" && w.Plain() {
			return append(out, args[i+1:]...)
		}
		if !w.Flag() {
			out = append(out, w)
		}
	}
	return out
}

// hasFlag reports whether args hold the short option, also in a cluster, or
// the long one, also shortened or with a value. Options that cannot be told
// count, since they may be it.
func hasFlag(args []shell.Word, short byte, long string) bool {
	return slices.ContainsFunc(args, func(w shell.Word) bool {
		name, isLong := strings.CutPrefix(w.Text, "--")
		name, _, _ = strings.Cut(name, "=")
		switch {
		case w.Text == "" || w.Text == "--":
			return false
		case w.Text[0] == shell.Any:
			return w.Splits
		case isLong:
			return long != "" && name != "" && strings.HasPrefix(long, name)
		}
		return w.Flag() && strings.IndexByte(w.Text, short) > 0 || w.Flag() && strings.ContainsRune(w.Text, shell.Any)
	})
}

// optionValues returns the values of an option: -Cdir, -C dir, --dir=x, --dir x.
func optionValues(args []shell.Word, short byte, long string) []shell.Word {
	var out []shell.Word
	for i, w := range args {
		if !w.Flag() {
			continue
		}
		if name, isLong := strings.CutPrefix(w.Text, "--"); isLong {
			name, value, has := strings.Cut(name, "=")
			switch {
			case long == "" || name != long:
			case has:
				out = append(out, shell.Word{Text: value, Splits: w.Splits})
			case i+1 < len(args):
				out = append(out, args[i+1])
			}
			continue
		}
		at := strings.IndexByte(w.Text, short)
		switch {
		case short == 0 || at < 0:
		case at == len(w.Text)-1 && i+1 < len(args):
			out = append(out, args[i+1])
		case at == 1:
			out = append(out, shell.Word{Text: w.Text[2:], Splits: w.Splits})
		}
	}
	return out
}

func hasWord(args []shell.Word, words ...string) bool {
	return slices.ContainsFunc(args, func(w shell.Word) bool { return slices.Contains(words, w.Text) })
}

// shown is a word for people.
func shown(w shell.Word) string {
	return strings.NewReplacer(
		string(shell.Any), "…", string(shell.Glob), "*", string(shell.Home), "~", string(shell.Here), ".",
	).Replace(w.Text)
}
