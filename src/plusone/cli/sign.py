"""`plusone sign` and `plusone keys`: releases that somebody with a key vouches for."""

from __future__ import annotations

from pathlib import Path

import click

from ..app.app import App
from ..base import config
from ..base.errors import ConfigError, UsageError
from ..terminal.output import by_option, json_option, print_json

__all__ = ["keys", "sign"]

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(
    epilog="\b\nExamples:\n  plusone sign flight-delays@4 --key ~/.config/plusone/signing.pem\n"
    "  plusone sign flight-delays@live      (with the key of [tool.plusone] sign_with)"
)
@click.argument("target", metavar="MODEL@N")
@click.option("--key", type=_FILE, help="The file with the private key.  [default: $PLUSONE_SIGNING_KEY or sign_with]")
@by_option
@json_option
@click.pass_obj
def sign(project: Path | None, target: str, key: Path | None, by: str, as_json: bool) -> None:
    """Sign a release: by its number and digest, and so all of its bytes.

    A server with `[tool.plusone.serve] signed_by` serves releases that one of those keys signed, and no others. Signing
    says nothing of the checks, and lets nothing past them.
    """
    with App(project, create=False) as app:
        file = key or app.project.sign_with
        if file is None:
            raise UsageError("Which key?", mend=f"plusone sign {target} --key FILE; plusone keys new FILE makes one")
        made = app.sign(target=target, key=file.expanduser(), by=by)
    if as_json:
        print_json(made)
    else:
        click.echo(f"signed: {made.model}@{made.release} by {made.key}")


@click.group(epilog="\b\nExample:\n  plusone keys new ~/.config/plusone/signing.pem")
def keys() -> None:
    """Make and show keys that sign releases."""


@keys.command(epilog="\b\nExample:\n  plusone keys new ~/.config/plusone/signing.pem")
@click.argument("file", type=_FILE)
@json_option
@click.pass_obj
def new(project: Path | None, file: Path, as_json: bool) -> None:
    """Make a key: the private one in FILE, which only you may read, the public one printed.

    Whoever has the private key can sign whatever they want. It is written to FILE and nowhere else: there is no copy.
    """
    from ..trust.keys import make_key

    path = file.expanduser().absolute()
    _check_outside(project, path)
    _print_public(make_key(path).public, as_json)


@keys.command(epilog="\b\nExample:\n  plusone keys show ~/.config/plusone/signing.pem")
@click.argument("file", type=_FILE)
@json_option
def show(file: Path, as_json: bool) -> None:
    """Print the public key of the private one in FILE."""
    from ..trust.keys import read_key

    _print_public(read_key(file.expanduser()).public, as_json)


def _print_public(public: str, as_json: bool) -> None:
    if as_json:
        print_json({"public": public})
    else:
        click.echo(public)


def _check_outside(project: Path | None, path: Path) -> None:
    """Refuse to lay a private key into a project, where it could be committed."""
    try:
        root = config.find_project(project or path.parent)
    except ConfigError:
        return
    if root in path.resolve().parents:
        raise UsageError(
            f"{path} lies in the project {root}, where a private key could be committed.",
            mend="plusone keys new ~/.config/plusone/signing.pem",
        )
