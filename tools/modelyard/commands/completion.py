"""``modelyard completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from modelyard.errors import UsageError
from modelyard.terminal import result

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the script that completes commands in your shell.

    \b
    bash: add this to ~/.bashrc:  eval "$(modelyard completion bash)"
    zsh:  add this to ~/.zshrc:   eval "$(modelyard completion zsh)"
    fish: save the script as      ~/.config/fish/completions/modelyard.fish
    """
    found = get_completion_class(shell)
    if found is None:
        raise UsageError(f"Completion does not support the shell {shell}.", f"Choose one of {', '.join(SHELLS)}.")
    result(found(context.find_root().command, {}, "modelyard", "_MODELYARD_COMPLETE").source())
