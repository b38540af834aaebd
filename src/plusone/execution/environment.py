"""The environment lock: exact versions of distributions, of all that are installed or of those that were imported."""

from __future__ import annotations

import csv
import os
import platform
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from ..base.errors import BrokenEnvironment

if TYPE_CHECKING:
    from importlib.metadata import Distribution

__all__ = [
    "Installed",
    "imports_of",
    "installed",
    "is_editable",
    "lock_of",
    "lock_text",
    "module_of",
    "normal",
    "owner_of",
    "owners",
    "record_of",
]

_NAME = re.compile(r"^Name: *(\S+)\s*$", re.MULTILINE)
_VERSION = re.compile(r"^Version: *(\S+)\s*$", re.MULTILINE)
_IMPORTS = "# imports "
_SERVER = "plusone"
_OF_THE_MACHINE = frozenset({"sitecustomize.py", "usercustomize.py", "_virtualenv.py"})


class Installed(NamedTuple):
    """A distribution that can be imported from, under its normalised name."""

    name: str
    version: str
    distribution: Distribution


def normal(name: str) -> str:
    """Return the name of a distribution as PEP 503 normalises it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(path: Sequence[str] | None = None) -> list[Installed]:
    """Return the distributions in the folders of `path`, by default `sys.path`: of equal names the first."""
    from importlib.metadata import distributions  # here: it loads an email parser, and most commands ask for none

    found: dict[str, Installed] = {}
    for distribution in distributions() if path is None else distributions(path=list(path)):
        name, version = _named(distribution)
        if name:
            found.setdefault(normal(name), Installed(normal(name), version, distribution))
    return sorted(found.values(), key=lambda one: one.name)


def lock_text() -> str:
    """Return sorted `name==version` lines for this interpreter's environment, the Python version and platform first.

    It names no index, no path and no host. Names are normalised as PEP 503 says.
    """
    return _text({one.name: one.version for one in installed()})


def lock_of(files: Iterable[str], *, project: Iterable[str | Path] = (), path: Sequence[str] | None = None) -> str:
    """Return the lock of the distributions to which these files belong: modules that were imported, data that was read.

    A comment names a module of each that was imported, so that one which nothing fails without is missed all the same
    (`imports_of`). The standard library is not in it, and neither is plusone: it is what loads the model, not a part
    of it.

    Args:
        files: paths of files; those of built-in and namespace modules (None, '') are passed over.
        project: folders whose files are packaged with the model.
        path: where the distributions lie, if not on `sys.path`: the folder of another environment, for one.

    Raises:
        BrokenEnvironment: naming a file that belongs to no distribution, or to one that only this machine has.
    """
    found: dict[str, str] = {}
    modules: dict[str, str] = {}
    own = [_folder(one) for one in project]
    for file, owner in owners(files, path=path).items():
        if owner is None:
            if any(_below(_real(file), folder) for folder in own):
                continue
            raise BrokenEnvironment(
                f"{Path(file).name} is imported from {Path(file).parent}, which is no part of a distribution, of the "
                "standard library or of the model: nobody else has it.",
                mend="package its source with the model, or install it as a distribution",
                file=Path(file).name,
            )
        if is_editable(owner.distribution):
            raise BrokenEnvironment(
                f"{Path(file).name} belongs to {owner.name}, which is installed editable: "
                f"{owner.name}=={owner.version} does not say what its files are.",
                mend=f"package its source with the model, or install {owner.name} from a wheel",
                distribution=owner.name,
            )
        found[owner.name] = owner.version
        if module := module_of(file, owner):
            # The shortest: that of the package itself, where it was imported as such.
            modules[owner.name] = min(module, modules.get(owner.name, module), key=lambda text: (len(text), text))
    return _text(found, [modules[name] for name in sorted(modules)])


def imports_of(lock: str) -> list[str]:
    """Return a module of each distribution of a lock that was imported when it was made."""
    lines = [line for line in lock.splitlines() if line.startswith(_IMPORTS)]
    return [name for line in lines for name in line.removeprefix(_IMPORTS).split()]


def module_of(file: str, owner: Installed) -> str:
    """Return the name of the module that a file of a distribution is, `''` for data."""
    site = _folder(str(owner.distribution.locate_file("")))
    path, name = os.path.relpath(_real(file), site).rpartition("/")[::2]
    stem, _, kind = name.partition(".")
    if kind.rpartition(".")[2] not in ("py", "so") or path.startswith(".."):
        return ""
    parts = [part for part in path.split("/") if part]
    return ".".join(parts if stem == "__init__" else [*parts, stem])


def owners(files: Iterable[str], *, path: Sequence[str] | None = None) -> dict[str, Installed | None]:
    """Return the distribution of each file, None where it has none; what the standard library and plusone have is left
    out."""
    everything = installed(path)
    exact: dict[str, Installed] = {}
    below: list[tuple[str, Installed]] = []
    passed: set[str] = set()
    for one in everything:
        site = _folder(str(one.distribution.locate_file("")))
        listed = record_of(one.distribution)
        editable = is_editable(one.distribution)
        if listed is None or editable:
            below.extend((folder, one) for folder in _roots(one.distribution, site))
        for name, _ in listed or ():
            if editable:
                # What finds its folder, loaded when Python starts: nothing of a model's.
                passed.add(os.path.normpath(f"{site}/{name}"))
            else:
                exact.setdefault(os.path.normpath(f"{site}/{name}"), one)
    server = _folder(Path(__file__).parent.parent)
    found: dict[str, Installed | None] = {}
    for file in files:
        # Modules that were made in memory have names like `_ops.py`: theirs are the files of the module that made them.
        if not file or not os.path.isabs(file) or Path(file).name in _OF_THE_MACHINE:
            continue
        real = _real(file)
        owner = exact.get(real) or next((one for folder, one in below if _below(real, folder) or real == folder), None)
        if real in passed or _below(real, server) or (owner is not None and owner.name == _SERVER):
            continue
        if owner is not None or not _in_standard_library(real):
            found[file] = owner
    return found


def owner_of(module: str) -> str:
    """Return the name of the distribution that has a module, `''` where none of this interpreter's has it.

    Nothing is imported: it goes by the files that distributions list. A distribution's own name is an answer too:
    programs ask for the metadata of a distribution as they import a module.
    """
    top = module.partition(".")[0]
    path = module.replace(".", "/")
    everything = installed()
    for beginning in dict.fromkeys((path, top)):
        for one in everything:
            for name, _ in record_of(one.distribution) or ():
                stem = name.partition(".")[0]
                if (stem == beginning and "." in name) or stem == f"{beginning}/__init__":
                    return one.name
    for one in everything:
        if any(name.startswith(f"{top}/") for name, _ in record_of(one.distribution) or ()):
            return one.name
    return next((one.name for one in everything if one.name == normal(module)), "")


def record_of(distribution: Distribution) -> list[tuple[str, str]] | None:
    """Return the files that a distribution was installed with, relative to its folder, and the sha256 of each.

    The digest is written as RECORD has it, and is empty where it has none. None: there is no RECORD.
    """
    text = distribution.read_text("RECORD")
    if not text:
        return None
    found: list[tuple[str, str]] = []
    for row in csv.reader(text.splitlines()):
        if row and row[0]:
            kind, _, digest = row[1].partition("=") if len(row) > 1 else ("", "", "")
            found.append((row[0], digest if kind == "sha256" else ""))
    return found


def is_editable(distribution: Distribution) -> bool:
    """Return whether a distribution only points at a folder in which its files are worked on."""
    info = _direct_url(distribution).get("dir_info")
    return isinstance(info, dict) and bool(info.get("editable"))


def _text(found: dict[str, str], modules: Sequence[str] = ()) -> str:
    head = [
        f"# python {platform.python_version()} {sys.implementation.name}",
        f"# platform {sys.platform} {platform.machine()}",
    ]
    if modules:
        head.append(_IMPORTS + " ".join(modules))
    return "\n".join([*head, *(f"{name}=={version}" for name, version in sorted(found.items()))]) + "\n"


def _direct_url(distribution: Distribution) -> dict[str, object]:
    # PEP 610: where a distribution came from, if it was not an index.
    text = distribution.read_text("direct_url.json")
    if not text:
        return {}
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except msgspec.DecodeError:
        return {}


def _roots(distribution: Distribution, site: str) -> Iterator[str]:
    """Give the folders and files of a distribution that has no list of them, or that lies elsewhere."""
    url = _direct_url(distribution).get("url")
    if isinstance(url, str) and url.startswith("file://") and is_editable(distribution):
        from urllib.parse import unquote, urlsplit

        yield _folder(unquote(urlsplit(url).path))
        return
    for name in (distribution.read_text("top_level.txt") or "").split():
        yield f"{site}/{name}"
        yield f"{site}/{name}.py"


def _folder(path: str | Path) -> str:
    return os.path.realpath(path)


def _real(file: str) -> str:
    """Return the path of a file by the real path of its folder: the file itself may be a link into a cache."""
    folder, name = os.path.split(file)
    return f"{os.path.realpath(folder)}/{name}"


def _below(path: str, folder: str) -> bool:
    return path.startswith(folder + "/")


def _in_standard_library(path: str) -> bool:
    parts = path.split("/")
    if "site-packages" in parts or "dist-packages" in parts:
        return False
    roots = {_folder(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")}
    roots.add(_folder(Path(os.__file__).parent))
    return any(_below(path, root) for root in roots)


def _named(distribution: Distribution) -> tuple[str, str]:
    # Two lines of its head: parsing the whole of each, as `distribution.metadata` does, takes ten times as long.
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    head = text.partition("\n\n")[0]
    name, version = _NAME.search(head), _VERSION.search(head)
    if name and version:
        return name[1], version[1]
    return distribution.metadata["Name"] or "", distribution.version
