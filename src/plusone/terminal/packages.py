"""Packages for people: what one is made of, and what came of it in a clean environment."""

from __future__ import annotations

import click

from ..app.packages import PackageDetail, PackageVerified
from ..replaying.verify import Line
from .output import number, print_table, size_text

__all__ = ["print_package", "print_verified"]


def print_package(found: PackageDetail) -> None:
    """Print a package: its files, its lock, what it takes and answers, its proof."""
    click.echo(f"{click.style(f'{found.model}@{found.release}', bold=True)}  package {found.digest}")
    how = ", ".join(str(value) for value in found.options.values())
    click.echo(f"  format    {found.format}" + (f" ({how})" if how else "") + f", trained as {found.trained}")
    click.echo(f"  takes     {', '.join(f'{field.name} ({field.dtype})' for field in found.signature.fields)}")
    output = found.signature.output
    click.echo(f"  answers   {output.name}: {', '.join(map(str, output.classes[:8])) or output.kind}")
    proof = ", ".join(f"{key} {number(value)}" for key, value in found.proof.items() if isinstance(value, (int, float)))
    click.echo(f"  proof     {proof or 'none'}")
    click.echo()
    rows = [(file.path, size_text(file.size_bytes), file.digest) for file in found.files]
    print_table(("file", "size", "sha256"), [*rows, ("all", size_text(found.size_bytes), "")])
    click.secho("\nlock", bold=True)
    for line in (*found.lock_head, *found.lock):
        click.echo(f"  {line}")


def print_verified(found: PackageVerified) -> None:
    """Print what came of a package in the environment of its lock alone."""
    name, seen = f"{found.model}@{found.release}", found.found
    tried = [line for line in seen.lines if line.without]
    if tried:
        rows = [(f"{line.name}=={line.version}", *_without(line)) for line in tried]
        print_table(("without the line", "the replay", "and the model itself"), rows)
    unused = [f"{line.name}=={line.version}" for line in seen.lines if not line.imported]
    if unused and not seen.missing:
        click.echo(f"nothing was imported of: {', '.join(unused)}")
    if optional := [line.name for line in seen.lines if line.optional]:
        click.echo(f"optional for its examples (a request unlike all of them may need one): {', '.join(optional)}")
    if not seen.problems:
        lines = f"{len(seen.lines)} line{'s' if len(seen.lines) != 1 else ''}"
        click.echo(
            f"{click.style(name, bold=True)} works in an environment of the {lines} of its lock alone: {seen.rows} "
            f"examples, largest difference {number(seen.max_difference)}, allowed {number(seen.tolerance)} "
            f"({seen.duration_s:.1f} s)" + (f"; without any of the {len(tried)} it fails, by name" if tried else "")
        )
        return
    click.secho(f"{name} does not work in an environment of its lock alone", fg="red", bold=True)
    for problem in seen.problems:
        click.echo(f"  - {problem}")


def _without(line: Line) -> tuple[str, str]:
    """Return what came of the replay without a line, and what the model did there."""
    failed = f"fails: no module {line.module!r}" if line.module else click.style("names no module of it", fg="red")
    model = {"fails": "does not answer", "differs": "answers otherwise", "answers": "answers equally"}
    return failed, model.get(line.without, "")
