"""`plusone completion`: the shell's completion script."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from .main import cli

__all__ = ["completion"]


@click.command(epilog='\b\nExample:\n  eval "$(plusone completion bash)"     (in ~/.bashrc)')
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the shell completion for bash, zsh or fish."""
    found = get_completion_class(shell)
    if found is not None:
        click.echo(found(cli, {}, "plusone", "_PLUSONE_COMPLETE").source())
