package complete

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app/command/console"
)

// words stands in for a function of the package bash-completion, which the script
// for bash counts on, where that package is not there: the words are what stands
// between blanks.
const words = `# Without the package bash-completion, words are what stands between blanks.
if ! declare -F _get_comp_words_by_ref >/dev/null 2>&1; then
    _get_comp_words_by_ref() {
        local typed="${COMP_LINE:0:COMP_POINT}"
        read -r -a words <<<"$typed"
        case "$typed" in *[[:space:]]) words+=("") ;; esac
        cword=$((${#words[@]} - 1))
        cur="${words[cword]}"
        prev=""
        if [ "$cword" -gt 0 ]; then prev="${words[cword - 1]}"; fi
    }
fi

`

// Scripts makes the script for bash one that needs no other package.
func Scripts(root *cobra.Command, s *console.Streams) {
	bash, rest, err := root.Find([]string{"completion", "bash"})
	if err != nil || len(rest) > 0 || bash.RunE == nil {
		return
	}
	write := bash.RunE
	bash.RunE = func(cmd *cobra.Command, args []string) error {
		if _, err := fmt.Fprint(s.Out, words); err != nil {
			return err
		}
		return write(cmd, args)
	}
	bash.Long = `Write the completion script for bash. For this shell:

  source <(ml-intern completion bash)

For every new one:

  ml-intern completion bash > ~/.local/share/bash-completion/completions/ml-intern

or, without the package bash-completion, the first line in ~/.bashrc.`
}
