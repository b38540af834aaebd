"""`plusone store`: bring a store to this version, look whether it is in order, copy it into another one."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ..base.config import load_project
from ..base.errors import UsageError
from ..lineage.checking import OnProgress, check_store
from ..lineage.collecting import needed_now
from ..store import Store, open_project, open_store
from ..store.moving import copy_store
from ..terminal.output import json_option, print_json

__all__ = ["store"]


@click.group(
    epilog="\b\nExamples:\n  plusone store check --deep\n  plusone store migrate\n"
    "  plusone store copy .plusone postgresql://me@db/team --blobs-to s3://team/plusone"
)
def store() -> None:
    """Migrate, check or copy a store."""


@store.command(epilog="\b\nExample:\n  plusone store migrate")
@click.option("--before", is_flag=True, help="Only what is safe while older versions of plusone use the store.")
@json_option
@click.pass_obj
def migrate(project: Path | None, before: bool, as_json: bool) -> None:
    """Bring the database to the schema of this version.

    A file is brought there by itself, whenever it is opened. A database that a team shares is not: other machines may
    have an older version still.
    """
    name, applied = _migrate(project, before)
    if as_json:
        print_json({"store": name, "applied": applied})
    elif applied:
        click.echo(f"{name}: applied {', '.join(applied)}")
    else:
        click.echo(f"{name}: nothing to do, it has the schema of this version")


def _migrate(folder: Path | None, before: bool) -> tuple[str, list[str]]:
    project = load_project(folder)
    if project.database:
        from ..store.postgres import PostgresDatabase

        db = PostgresDatabase(project.database, as_it_is=True)
        try:
            return db.name, db.migrate(only_before=before)
        finally:
            db.close()
    with contextlib.closing(open_project(project, create=False)) as opened:
        return opened.db.name, opened.db.migrate(only_before=before)


@store.command(epilog="\b\nExample:\n  plusone store check --deep")
@click.option("--deep", is_flag=True, help="Read every blob and compare it with its digest.")
@json_option
@click.pass_obj
def check(project: Path | None, deep: bool, as_json: bool) -> None:
    """Look whether the store is in order: schema, references, and every blob that a record names.

    Exit code 1: something is wrong.
    """
    with contextlib.closing(open_project(load_project(project), create=False)) as opened, _bar(as_json) as on_progress:
        found = check_store(opened, deep=deep, on_progress=on_progress, needed=needed_now(opened))
    if as_json:
        print_json(found)
    else:
        for fault in found.faults:
            click.echo(click.style("wrong: ", fg="red") + fault)
        read = f", {found.checked_bytes:,} bytes read" if deep else ""
        what = f"{found.tables} tables, {found.blobs} blobs{read}"
        click.echo(f"{found.store}: {what}: " + (f"{len(found.faults)} wrong" if found.faults else "all in order"))
    if found.faults:
        click.get_current_context().exit(1)


@store.command(
    epilog="\b\nExamples:\n  plusone store copy .plusone postgresql://me@db/team --blobs-to s3://team/plusone\n"
    "  plusone store copy env:OLD_STORE backup --blobs-from s3://team/plusone"
)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--blobs-from", default="", help="s3://BUCKET/PREFIX.  [default: the folder]")
@click.option("--blobs-to", default="", help="s3://BUCKET/PREFIX.  [default: the folder]")
@json_option
@click.pass_obj
def copy(project: Path | None, source: str, target: str, blobs_from: str, blobs_to: str, as_json: bool) -> None:
    """Copy the store FROM into the empty store TO: all records, all blobs.

    Each is a folder, postgresql://USER@HOST/DATABASE, or env:NAME for an address that stands in the variable NAME. A
    password belongs into that variable, into PGPASSWORD or into ~/.pgpass. Beside a database the folder for blobs is
    that of the project's store. A copy that was interrupted goes on with the same command.
    """
    with (
        contextlib.closing(_open(project, source, blobs_from, create=False)) as one,
        contextlib.closing(_open(project, target, blobs_to, create=True)) as other,
        _bar(as_json) as on_progress,
    ):
        done = copy_store(one, other, on_progress=on_progress)
    if as_json:
        print_json(done)
        return
    click.echo(f"{done.source} -> {done.target}")
    click.echo(f"  rows   {sum(done.rows.values()):>12,}  ({done.new_rows:,} of them written now)")
    click.echo(f"  blobs  {done.blobs:>12,}  ({done.new_blobs:,} of them sent now, {done.new_bytes:,} bytes)")
    click.echo("  as many rows of each table, and as many blobs, in both")


def _open(project: Path | None, place: str, blobs: str, *, create: bool) -> Store:
    address = os.environ.get(place[4:], "") if place.startswith("env:") else place
    if not address:
        raise UsageError(
            f"The variable {place[4:]} is not set: expected the address of a store in it.",
            mend=f"export {place[4:]}=postgresql://USER:PASSWORD@HOST/DATABASE",
        )
    if "://" not in address:
        return open_store(Path(address), database="", blobs=blobs, create=create)
    user = address.partition("://")[2].rpartition("@")[0]
    if address == place and (":" in user or "password=" in address):
        raise UsageError(
            "There is a password on the command line, where every process of this machine can read it.",
            mend="leave it out and set PGPASSWORD, or put the address into a variable and give env:NAME",
        )
    return open_store(load_project(project).store, database=address, blobs=blobs, create=create)


@contextlib.contextmanager
def _bar(as_json: bool) -> Iterator[OnProgress]:
    """Give a function that shows progress: a bar on a terminal, nothing elsewhere."""
    if as_json or not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns: tuple[Any, ...] = (TextColumn("{task.description}"), BarColumn(24), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True, highlight=False), transient=True) as bar:
        task = bar.add_task("opening", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total or None)
