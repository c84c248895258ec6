package exec

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// uv is the stub of that program: it installs nothing, and fetches scripts from
// the simulator only. ORIGIN is put in front.
const uv = `
if [ "$1" != run ]; then
	echo "uv: only 'uv run' is simulated" >&2
	exit 2
fi
shift
while [ $# -gt 0 ]; do
	case "$1" in
	--with | -p | --python)
		if [ $# -lt 2 ]; then
			echo "uv: $1 needs a value" >&2
			exit 2
		fi
		shift 2
		;;
	--with=* | --python=* | -p?*) shift ;;
	*) break ;;
	esac
done
case "$1" in
http://* | https://*)
	case "$1" in
	"$ORIGIN"/*) ;;
	*)
		echo "uv: $1: scripts are fetched from $ORIGIN only" >&2
		exit 2
		;;
	esac
	file=$(mktemp "$TMPDIR/uv-XXXXXX") || exit 2
	python3 -c 'import sys, urllib.request
try:
    open(sys.argv[2], "wb").write(urllib.request.urlopen(sys.argv[1]).read())
except Exception as e:
    sys.exit("uv: %s: %s" % (sys.argv[1], e))' "$1" "$file" || exit 2
	shift
	exec python3 "$file" "$@"
	;;
esac
exec python3 "$@"
`

// nvidiaSMI is the stub on a machine with an accelerator, GPU put in front;
// noNvidiaSMI is the one without: 9 is the real program's code for no driver.
const (
	nvidiaSMI   = "\nprintf '%s\\n' \"$GPU\"\n"
	noNvidiaSMI = `
echo "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver." >&2
exit 9
`
)

// stubs writes the programs that stand in for those of a container.
func (p *Process) stubs(origin string) error {
	smi := "#!/bin/sh\n" + noNvidiaSMI
	if len(p.spec.GPU) > 0 {
		smi = "#!/bin/sh\nGPU=" + quote(strings.Join(p.spec.GPU, "\n")) + nvidiaSMI
	}
	for name, text := range map[string]string{
		"uv":         "#!/bin/sh\nORIGIN=" + quote(strings.TrimSuffix(origin, "/")) + uv,
		"nvidia-smi": smi,
	} {
		if err := os.WriteFile(filepath.Join(p.dir, bin, name), []byte(text), 0o700); err != nil {
			return fmt.Errorf("write the stub of %s: %w", name, err)
		}
	}
	return nil
}

// quote writes s as one word of the shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
