package care

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
)

// shells are those that completion knows.
var shells = []string{"bash", "zsh", "fish", "powershell"}

// bashGuard says at the first Tab what bash needs: without it each Tab prints an error
// of a function that is not there.
const bashGuard = `if ! declare -F _get_comp_words_by_ref >/dev/null 2>&1 && [ -n "${BASH_VERSION:-}" ]; then
    for __sprint_file in /usr/share/bash-completion/bash_completion /usr/local/share/bash-completion/bash_completion /opt/homebrew/etc/profile.d/bash_completion.sh /etc/bash_completion; do
        [ -r "$__sprint_file" ] && . "$__sprint_file" && break
    done
    unset __sprint_file
fi
if ! declare -F _get_comp_words_by_ref >/dev/null 2>&1; then
    echo 'sprint: completion needs the package bash-completion: install it (apt-get install bash-completion, dnf install bash-completion, brew install bash-completion@2) and open a new shell' >&2
    return 0 2>/dev/null || exit 0
fi
`

func completionCommand(a *app.App) *cobra.Command {
	var plain bool
	cmd := &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print the script that completes commands, stages, runs and models in a shell",
		Long: `Print the completion script of a shell: bash, zsh, fish or powershell. Commands,
flags and their values, stages of the plan, runs and models of the store and paths
of --set are completed.

bash (needs the package bash-completion), now and for every new shell:
  source <(sprint completion bash)
  echo 'source <(sprint completion bash)' >> ~/.bashrc
zsh:
  sprint completion zsh > "${fpath[1]}/_sprint"
fish:
  sprint completion fish > ~/.config/fish/completions/sprint.fish
powershell:
  sprint completion powershell | Out-String | Invoke-Expression`,
		Example:   "  sprint completion bash",
		ValidArgs: shells,
		Args:      cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), a.Stdout.Out
			switch args[0] {
			case "bash":
				_, guarded := fmt.Fprint(out, bashGuard)
				return errors.Join(guarded, root.GenBashCompletionV2(out, !plain))
			case "zsh":
				if plain {
					return root.GenZshCompletionNoDesc(out)
				}
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, !plain)
			case "powershell":
				if plain {
					return root.GenPowerShellCompletion(out)
				}
				return root.GenPowerShellCompletionWithDesc(out)
			}
			return &diagnostic.UsageError{Message: fmt.Sprintf("no completion for %s", args[0]), Hint: "known: " + strings.Join(shells, ", ")}
		},
	}
	cmd.Flags().BoolVar(&plain, "no-descriptions", false, "complete words without saying what they are")
	return cmd
}
