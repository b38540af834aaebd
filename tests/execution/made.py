"""Distributions that a test makes: installed ones, in a folder to be put on the path, and wheels."""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["make_wheel", "write_distribution"]


def write_distribution(
    site: Path,
    name: str,
    version: str = "1.0",
    files: Mapping[str, str] | None = None,
    *,
    listed: Mapping[str, str] | None = None,
    editable: Path | None = None,
    record: bool = True,
) -> None:
    """Write an installed distribution below `site`, as an installer would.

    Args:
        files: the text of each file, by path; by default one module of the distribution's name.
        listed: more lines of RECORD, path to digest, of files that are not written.
        editable: the folder at which it points instead.
        record: whether it has a RECORD.
    """
    contents = {f"{name.replace('-', '_')}.py": f"version = {version!r}\n"} if files is None else dict(files)
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    contents[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    if editable is not None:
        contents[f"{info}/direct_url.json"] = json.dumps({"url": editable.as_uri(), "dir_info": {"editable": True}})
    lines: list[str] = []
    for path, text in contents.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text)
        lines.append(f"{path},sha256={_digest(text)},{len(text)}")
    lines += [f"{path},{digest}," for path, digest in (listed or {}).items()]
    if record:
        (site / info / "RECORD").write_text("\n".join([*lines, f"{info}/RECORD,,"]) + "\n")


def make_wheel(folder: Path, name: str, version: str = "1.0") -> Path:
    """Write a wheel with one module and one command."""
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}.dist-info"
    contents = {
        f"{module}.py": f"version = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {module}:version\n",
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in contents.items())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for inner, text in {**contents, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            wheel.writestr(inner, text)
    return path


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
