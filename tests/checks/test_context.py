from __future__ import annotations

from pathlib import Path

import pytest

from plusone.base.errors import UsageError
from plusone.base.records import Dataset
from plusone.checks.context import Context, ReleaseRef, read, write


def test_a_context_comes_back_as_it_was_written(tmp_path: Path):
    context = Context(
        root="/p",
        tests="/p/tests",
        blobs="/p/blobs",
        subject="model",
        model="delays",
        models=("delays", "fares"),
        outputs={"flights": Dataset(digest="d", blob="b", kind="json", flavour="json", size_bytes=1)},
        not_made=("holdout",),
        live=ReleaseRef(number=3, digest="r", package="p", folder="/f"),
    )
    write(context, tmp_path / "context.json")
    assert read(tmp_path / "context.json") == context


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff", b'{"root": 3}'])
def test_what_is_no_context_is_refused_by_name(tmp_path: Path, content: bytes | None):
    path = tmp_path / "context.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"context\.json, which PLUSONE_CHECKS names"):
        read(path)
