"""Writes docs/reference from the code: `make docs`. With `--check` it writes nothing and names what is stale."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from plusone.base import config, errors, records
from plusone.cli.main import cli

HERE = Path(__file__).resolve().parent
SRC = HERE.parent / "src" / "plusone"
sys.path.append(str(HERE.parent))  # the list of formats and inputs is that of the tests
NOTE = "<!-- Written from the code by `make docs`. -->\n"
WIDTH = 100
_RECORDS = ("records.py", "rollouts.py", "registered.py", "logged.py", "trusted.py", "scored.py")

# What a setting means; its name, type and default come from the code, and each must be here.
SETTINGS = {
    "pipeline": "the file with the project's steps and models",
    "tests": "the folder with the project's tests: the gate",
    "store": "the folder of the store, relative to the project's; or `postgresql://...`, where the records are",
    "blobs": "`s3://BUCKET/PREFIX`, where data, models and files are kept; empty: in the store's folder",
    "sign_with": "the file with the private key that new releases are signed with, outside of the project; empty: none",
    "rollout": "how a release takes the place of the live one: steps such as `shadow 2m`, `5% 5m`, `50% 5m 1000` (a "
    "share of the requests, how long, and how many requests at least: 100); empty: at once",
    "models": "what holds for single models, e.g. `[tool.plusone.models.NAME] rollout = []`: `rollout`",
    "checks.built_in": "whether plusone's own checks run beside the project's tests",
    "checks.skip": "names of built-in checks that are not run: `columns`, or `columns[train_set]`",
    "checks.performance_loss": "what share of the live release's gain over a constant answer a candidate may lose",
    "checks.baseline_loss": "what share of a linear model's gain over a constant answer a candidate may lose",
    "checks.slice_loss": "how much more than live a slice may lose, as a share of what a constant answer loses",
    "checks.feature_loss": "what share of a field's importance to the live release a candidate may lose",
    "checks.calibration_loss": "how much further than live's the probabilities may be off, 0 to 1",
    "checks.overfit": "how much more than live a candidate may lose from its training data to a holdout, as a share of "
    "what a constant answer loses",
    "checks.bias": "how much further than live's the mean answer to the training data, or to a slice of it, may lie "
    "from the mean truth: of probabilities, or in the truth's standard deviations",
    "checks.slower": "how many times the live release's time a candidate may take",
    "checks.replay_requests": "how many of the newest logged requests each candidate is asked again; 0: none",
    "checks.replay_errors": "how many of them a candidate may refuse that the live release answers",
    "checks.replay_changed": "the share of them that a candidate may answer differently from the live release",
    "checks.replay_labels_margin": "how much worse a candidate may be where labels have arrived: a share of rows, or "
    "of the live release's mean error",
    "checks.replay_latency": "how many times as long as the live release a candidate may take for one row",
    "checks.shift": "how far a column may lie from the live release's data: total variation distance, 0 to 1",
    "checks.shift_same_times": "the same among rows of the times that both cover; of the target half of it",
    "checks.label_shift": "the same of the target, over all rows; and how far its share within a category may move "
    "beyond that elsewhere",
    "checks.nulls": "how much more of a column may be missing, as a share of the rows",
    "checks.duplicates": "how many more of the rows may be equal to another one, as a share",
    "checks.rewritten": "in what share of the rows of the past a column may hold something else than it did",
    "checks.leakage": "how well a feature alone may tell the target: AUC, 0.5 to 1; of numbers R2, 0.8 for 0.9",
    "checks.overlap": "what share of a holdout's rows may be in the training data",
    "checks.data_alpha": "the share of false alarms that intervals of data checks are made for, over all columns",
    "rollouts.alpha": "of candidates that are no worse than the live release, at most this share is rolled back",
    "rollouts.alpha_tolerated": "of candidates that are worse in one respect, by no more than is tolerated there, at "
    "most this share is rolled back for it",
    "rollouts.errors_tolerance": "the share of what the live release answers that a candidate may fail in addition",
    "rollouts.invalid_tolerance": "the share of its valid answers that may be invalid in addition",
    "rollouts.labels_tolerance": "the share of what it gets right that a candidate may get wrong, where labels come",
    "rollouts.distance_tolerance": "how much farther from their labels its numbers may lie: 0.09 for 9 %, likewise",
    "rollouts.latency_tolerance": "how much longer a candidate may take: 0.09 for 9 %, in eighths of a doubling",
    "rollouts.latency_floor_s": "times below it, in seconds, count as equal, and so much slower a candidate may be",
    "rollouts.warm_up_looks": "looks from the candidate's first answer on whose times count together as one look",
    "rollouts.expected_shift": "how much further the answers may lie from the live release's than its checks measured "
    "before a person is asked: total variation distance, 0 to 1",
    "serve.host": "the address that predictions and the control API listen on",
    "serve.port": "the port for predictions",
    "serve.control_port": "the port for the control API",
    "serve.workers": "how many serving processes `plusone up` keeps running, 1 to 256",
    "serve.max_body_bytes": "the largest request that is read, in bytes; at least 1,024",
    "serve.concurrency": "how many runs of a model too slow for the event loop go on at once, per model and worker",
    "serve.queue": "how many requests to one model wait in each worker; those beyond are answered 429",
    "serve.timeout_s": "how long a request may wait and be computed, in seconds, before it is answered 503 or 504",
    "serve.load_timeout_s": "seconds that a release may take to load before it is taken back; at least 1",
    "serve.log_share": "the share of the predictions that is logged, 0 to 1",
    "serve.log_max_bytes": "how many bytes of predictions that are not collected yet are kept; at least 1,048,576",
    "serve.grpc_port": "the port of the Open Inference Protocol over gRPC; left out: none. Needs `plusone[grpc]`",
    "serve.signed_by": "public keys, `ed25519:...`: only releases that one of them signed are served; empty: all. "
    "Needs `plusone[sign]`",
    "serve.models": "limits of single models, e.g. `[tool.plusone.serve.models.NAME] queue = 64`: "
    "`max_body_bytes`, `concurrency`, `queue`, `timeout_s`, `log_share`",
}
# Variables of the environment that a person may set; those that plusone hands to its own processes are not for people.
VARIABLES = {
    "PLUSONE_STORE": "where the store is, instead of what `[tool.plusone] store` says",
    "PLUSONE_BLOBS": "where the blobs are, instead of what `[tool.plusone] blobs` says",
    "PLUSONE_SYSTEM_METRICS": "whether `plusone.run` logs system metrics: `1`, `0`, or seconds between samples",
    "PLUSONE_SIGNING_KEY": "the file of that key, instead of what `[tool.plusone] sign_with` says",
    "PLUSONE_ENVIRONMENTS": "where environments of models lie; default: `plusone/environments` in the user's cache",
    "PLUSONE_BY": "the name that decisions are recorded under; default: the user of the operating system",
    "PLUSONE_MODEL": "in a project with several models, the one that tests run by hand are about",
}
INTERNAL = {"PLUSONE_CHECKS"}


def commands(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[tuple[str, str]]:
    """The full name and the help of a command and of those below it, in the order of `--help`."""
    shape: dict[str, Any] = {"terminal_width": WIDTH, "max_content_width": WIDTH, "color": False}
    context = click.Context(command, info_name=name, parent=parent, **{**command.context_settings, **shape})
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None, child
            yield from commands(found, child, context)


def cli_page() -> str:
    """docs/reference/cli.md: every command with its help."""
    parts = [NOTE, "# The command line\n"]
    for path, text in commands(cli, "plusone"):
        plain = "\n".join(line.rstrip() for line in click.unstyle(text).splitlines())
        parts.append(f"## {path}\n\n```text\n{plain.strip()}\n```\n")
    return "\n".join(parts)


def every_error(root: type[errors.PlusoneError]) -> Iterator[type[errors.PlusoneError]]:
    """An error class and those below it, each parent before its children."""
    yield root
    for child in sorted(root.__subclasses__(), key=lambda kind: kind.__name__):
        if child.__module__ == errors.__name__:
            yield from every_error(child)


def errors_page() -> str:
    """docs/reference/errors.md: the tree of errors with code, exit code and status."""
    rows = [
        f"| `{kind.code}` | {kind.__name__} | {kind.exit_code} | {kind.status} | {first_line(kind.__doc__)} |"
        for kind in every_error(errors.PlusoneError)
    ]
    head = [
        NOTE,
        "# Errors\n",
        "The command line exits with the exit code and prints what mends it; the HTTP API answers with the status and",
        'with `{"error": {"code", "message", "mend", "details"}}`. A code never changes once it was released.\n',
        "| code | class | exit code | HTTP status | what it means |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*head, *rows]) + "\n"


def first_line(text: str | None) -> str:
    """The first sentence of a docstring."""
    assert text, "without a docstring"
    return text.strip().splitlines()[0]


def fields(node: ast.ClassDef) -> Iterator[tuple[str, str, str, str]]:
    """Name, type, default and description of each field of a record."""
    for place, item in enumerate(node.body):
        if not isinstance(item, ast.AnnAssign):
            continue
        after = node.body[place + 1] if place + 1 < len(node.body) else None
        told = ""
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            told = " ".join(str(after.value.value).split())
        default = ast.unparse(item.value) if item.value else ""
        yield ast.unparse(item.target), ast.unparse(item.annotation), default, told


def table(node: ast.ClassDef) -> list[str]:
    """The fields of a record as the rows of a table."""
    rows = ["| field | type | default | |", "|---|---|---|---|"]
    for name, kind, default, told in fields(node):
        shown = f"`{default}`" if default else ""
        rows.append(f"| `{name}` | `{kind}` | {shown} | {told} |")
    return [escape(row) for row in rows]


def escape(row: str) -> str:
    """A row whose code may hold `|`, which a table takes for a border."""
    return re.sub(r"`[^`]*`", lambda found: found[0].replace("|", "\\|"), row)


def records_page() -> str:
    """docs/reference/records.md: every noun with its fields, as `--json` and the HTTP API write it."""
    sources = [(SRC / "base" / name).read_text("utf-8") for name in _RECORDS]
    module = ast.parse("\n".join(sources))
    parts = [NOTE, "# Records\n", f"{' '.join((records.__doc__ or '').split())}\n"]
    for node in module.body:
        if isinstance(node, ast.ClassDef) and node.name != "Record":
            parts += [f"## {node.name}\n", f"{' '.join((ast.get_docstring(node) or '').split())}\n", *table(node), ""]
    return "\n".join(parts)


_PARTS: tuple[tuple[str, Any], ...] = (
    ("", config._Settings),
    ("rollouts.", config.Rollouts),
    ("checks.", config.Checks),
    ("serve.", config.Serve),
)


def known_settings() -> dict[str, tuple[str, Any]]:
    """Every setting of `[tool.plusone]`: its type and default, from the code that reads it."""
    found: dict[str, tuple[str, Any]] = {}
    for prefix, kind in _PARTS:
        for name, default in zip(kind.__struct_fields__, kind.__struct_defaults__, strict=True):
            if not isinstance(default, tuple(kind for _, kind in _PARTS)):
                found[prefix + name] = (type(default).__name__, default)
    return found


def known_variables() -> set[str]:
    """Every variable of the environment that the code names, without those that plusone hands to its own processes."""
    names: set[str] = set()
    for file in SRC.rglob("*.py"):
        names.update(re.findall(r"[\"'](PLUSONE_[A-Z_]+)[\"']", file.read_text("utf-8")))
    return names - INTERNAL


def described(known: set[str], told: dict[str, str], what: str) -> None:
    """Raise when a setting has no description, or a description no setting."""
    if missing := known - told.keys():
        raise SystemExit(f"docs/generate.py does not say what these {what} mean: {', '.join(sorted(missing))}")
    if gone := told.keys() - known:
        raise SystemExit(f"docs/generate.py describes {what} that the code does not have: {', '.join(sorted(gone))}")


def settings_page() -> str:
    """docs/reference/settings.md: every setting in pyproject.toml and in the environment."""
    known = known_settings()
    described(set(known), SETTINGS, "settings")
    variables = known_variables()
    described(variables, VARIABLES, "variables")
    parts = [
        NOTE,
        "# Settings\n",
        "In the project's `pyproject.toml`, below `[tool.plusone]`, `[tool.plusone.rollouts]`, `[tool.plusone.checks]`",
        "and `[tool.plusone.serve]`. A name that is not here is an error, so that a misspelt one is not ignored.\n",
        "| setting | type | default | what it is |",
        "|---|---|---|---|",
        *(f"| `{name}` | {kind} | `{default}` | {SETTINGS[name]} |" for name, (kind, default) in known.items()),
        "\n## In the environment\n",
        "| variable | what it is |",
        "|---|---|",
        *(f"| `{name}` | {VARIABLES[name]} |" for name in VARIABLES if name in variables),
    ]
    return "\n".join(parts) + "\n"


def check_page() -> str:
    """docs/reference/check.md: every public check with its signature and docstring, from the code."""
    from plusone import check

    parts = [NOTE, "# plusone.check\n", f"{' '.join((check.__doc__ or '').split())}\n"]
    for name in sorted(check.__all__):
        member = getattr(check, name)
        if not inspect.ismodule(member):
            parts += _described("##", name, member)
            continue
        parts += [f"## {name}\n", f"{' '.join((member.__doc__ or '').split())}\n"]
        for one in sorted(member.__all__):
            parts += _described("###", f"{name}.{one}", getattr(member, one))
    return "\n".join(parts)


def _described(level: str, name: str, function: Any) -> list[str]:
    text = inspect.cleandoc(function.__doc__ or "")
    return [f"{level} {name}\n", f"```text\n{name}{_signature(function)}\n\n{text}\n```\n"]


def _signature(function: Any) -> str:
    """Return the parameters as they are written, a line each where there are many."""
    shown = [str(one) for one in _parameters(function)]
    line = f"({', '.join(shown)})"
    return line if len(line) < 100 else "(\n    " + ",\n    ".join(shown) + ",\n)"


def _parameters(function: Any) -> list[str]:
    found: list[str] = []
    starred = False
    for one in inspect.signature(function).parameters.values():
        if one.kind is inspect.Parameter.KEYWORD_ONLY and not starred:
            found.append("*")
        starred = starred or one.kind in (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_POSITIONAL)
        found.append(str(one))
    return found


def formats_page() -> str:
    """docs/reference/formats.md: which kinds of models take which kinds of input, from the list that is tested."""
    from tests.matrix import cells

    return f"{NOTE}\n# Models and their inputs\n\n{cells.table()}"


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": cli_page,
    "errors.md": errors_page,
    "check.md": check_page,
    "formats.md": formats_page,
    "records.md": records_page,
    "settings.md": settings_page,
}


def stale() -> list[str]:
    """The pages that are not what the code says now."""
    folder = HERE / "reference"
    here = {file.name for file in folder.glob("*.md")} if folder.is_dir() else set[str]()
    wrong = [name for name, page in PAGES.items() if name not in here or (folder / name).read_text("utf-8") != page()]
    return wrong + sorted(here - PAGES.keys())


def main() -> int:
    """Write the pages, or check them; 1 when one is stale."""
    folder = HERE / "reference"
    if "--check" in sys.argv[1:]:
        wrong = stale()
        if wrong:
            print(
                f"stale: {', '.join(f'docs/reference/{name}' for name in wrong)}. To mend it: make docs",
                file=sys.stderr,
            )
        return int(bool(wrong))
    folder.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (folder / name).write_text(page(), "utf-8")
        print(f"docs/reference/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
