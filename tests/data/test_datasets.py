"""Values are stored whole, named by their content, given back as fresh copies; what can't be is refused by name."""

from __future__ import annotations

import enum
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plusone.base.errors import BrokenArtifact, UnsafeValue
from plusone.data.datasets import load, load_table, save
from plusone.store import Blobs

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda part: st.lists(part, max_size=4) | st.dictionaries(st.text(), part, max_size=4),
    max_leaves=20,
)  # fmt: skip

KINDS = [*"?bBhHiIlLqQefdgFDG", "S3", "U3", "V4", ">i4", ">f8", "M8[ns]", "M8[D]", "m8[s]"]


def same(a: Any, b: Any) -> bool:
    """Compare with types: 1, 1.0 and True are different."""
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)


@settings(max_examples=60)
@given(JSON)
def test_any_json_value_comes_back_equal(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    blobs = Blobs(tmp_path_factory.getbasetemp() / "json-blobs")
    dataset = save(value, blobs)
    assert dataset.kind == "json"
    assert same(load(dataset, blobs), value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3)])
def test_an_array_of_any_type_and_shape_comes_back_equal(blobs: Blobs, kind: str, shape: tuple[int, ...]) -> None:
    array = np.zeros(shape, kind)
    found = load(save(array, blobs), blobs)
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    assert found.tobytes() == array.tobytes()


def test_structured_strided_and_special_arrays_come_back_equal(blobs: Blobs) -> None:
    wide = np.zeros(2, [(f"a_field_of_a_long_name_{n}", "f8") for n in range(1000)])
    for array in (
        np.array([(1, "ab")], [("a", "i4"), ("b", "U3")]),
        wide,
        np.arange(20).reshape(4, 5)[::2, ::-1],
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.array([np.nan, np.inf, -0.0]),
        np.array(["", "\U0001f600"]),
    ):
        found = load(save(array, blobs), blobs)
        np.testing.assert_array_equal(found, array)
        assert found.dtype == array.dtype


def test_a_dict_of_arrays_comes_back_with_its_names_in_order(blobs: Blobs) -> None:
    value = {
        "z": np.arange(3),
        "": np.zeros((0, 2)),
        "a/b": np.array(5),
        "../x": np.array(["é"]),
        "é\n": np.array([True]),
    }
    found = load(save(value, blobs), blobs)
    assert list(found) == list(value)
    for name, array in value.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


class Text(str):
    pass


class Colour(enum.IntEnum):
    RED = 1


_circle: list[Any] = []
_circle.append({"again": _circle})
_deep: Any = 1
for _ in range(50_000):
    _deep = [_deep]

REFUSED: dict[str, tuple[Any, str]] = {
    "object array": (np.array([object()]), "only pickle"),
    "hidden objects": (np.zeros(1, [("a", object)]), "only pickle"),
    "masked array": (np.ma.array([1, 2], mask=[False, True]), "MaskedArray"),
    "matrix": (np.ones((1, 1)).view(np.matrix), "matrix"),
    "masked array in a dict": ({"a": np.ma.array([1], mask=[True])}, "'a' is a MaskedArray"),
    "objects in a dict": ({"a": np.array([None])}, "'a' has dtype object"),
    "generator of numbers": (np.random.default_rng(0), "only pickle"),
    "array called file": ({"file": np.arange(2)}, "'file'"),
    "array called allow_pickle": ({"allow_pickle": np.arange(2)}, "'allow_pickle'"),
    "array called x.npy": ({"x": np.arange(2), "x.npy": np.arange(3)}, r"'x\.npy'"),
    "array with a zero": ({"x\0y": np.arange(2)}, r"key 'x\\x00y'"),
    "array of no text": ({"\ud800": np.arange(2)}, "ud800"),
    "array of a number": ({1: np.arange(2)}, "key 1"),
    "nan": ({"a": [1.0, float("nan")]}, r"The value\['a'\]\[1\] is nan"),
    "infinity": (float("-inf"), "is -inf"),
    "huge integer": ([2**64], r"\[0\] is 18446744073709551616"),
    "tuple": ((1, 2), "builtins.tuple.*\n.*return a list"),
    "set": ({1}, "builtins.set"),
    "bytes": ([b"x"], "builtins.bytes"),
    "key": ({"a": {1: 2}}, r"\['a'\] has the key 1"),
    "surrogate": (["\ud800"], r"\[0\].*surrogate"),
    "surrogate key": ({"\ud800": 1}, "key"),
    "numpy number": ({"rows": 3, "auc": np.float64(0.5)}, r"\['auc'\] is of type numpy.float64(.|\n)*value\.item\(\)"),
    "enum": (Colour.RED, "Colour"),
    "text of a class": (Text("x"), "Text"),
    "function": (len, "function"),
    "class": (int, "type"),
    "circle": (_circle, "nested over 200 deep, or in itself"),
    "deep": (_deep, "nested over 200 deep"),
    "complex": (1j, "complex"),
    "generator": ((n for n in ()), "generator"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_not_be_stored_is_refused_by_place_and_says_what_can_be(blobs: Blobs, name: str) -> None:
    value, message = REFUSED[name]
    with pytest.raises(UnsafeValue, match=message):
        save(value, blobs)
    assert not blobs.folder.exists(), "nothing is stored of what is refused"


def test_the_refusal_names_what_can_be_stored(blobs: Blobs) -> None:
    with pytest.raises(UnsafeValue) as caught:
        save(object(), blobs)
    for word in ("dataframe", "numpy array", "JSON value", "pathlib.Path"):
        assert word in str(caught.value)


def test_a_file_comes_back_under_its_name_with_its_bytes(blobs: Blobs, tmp_path: Path) -> None:
    source = tmp_path / "model card é.tar.gz"
    source.write_bytes(b"\x00\xff" * 1000)
    dataset = save(source, blobs)
    found = load(dataset, blobs)
    assert (found.name, found.read_bytes()) == (source.name, source.read_bytes())
    assert dataset.size_bytes == 2000
    source.unlink()
    assert load(dataset, blobs).read_bytes() == b"\x00\xff" * 1000


def test_a_path_that_is_no_file_is_refused(blobs: Blobs, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to("nowhere")
    no_files = [(tmp_path / name, "is no file") for name in ("none", "pipe", "dangling")]
    for path, message in [*no_files, (tmp_path, "is a folder"), (Path(), "is a folder"), (Path("a\udcff"), "Unicode")]:
        with pytest.raises(UnsafeValue, match=message):
            save(path, blobs)


def values(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "file.bin").write_bytes(b"abc")
    return {
        "json": {"b": [1, 2], "a": {"x": "é"}},
        "pandas": pd.DataFrame({"n": [1.5, None], "c": pd.Categorical(["x", "y"]), "s": ["a", None]}),
        "polars": pl.DataFrame({"n": [1, None], "s": ["a", None]}),
        "array": np.arange(6).reshape(2, 3),
        "arrays": {"b": np.arange(3), "a": np.array(["x"])},
        "file": tmp_path / "file.bin",
    }


def test_what_a_step_does_to_a_value_reaches_no_other_reader(blobs: Blobs, tmp_path: Path) -> None:
    kept = {name: save(value, blobs) for name, value in values(tmp_path).items()}
    before = {name: save(load(dataset, blobs), blobs).digest for name, dataset in kept.items()}
    load(kept["json"], blobs)["a"]["x"] = "changed"
    frame = load(kept["pandas"], blobs)
    frame.loc[0, "n"] = 9.0
    frame["new"] = 1
    load(kept["array"], blobs)[0, 0] = 9
    load(kept["arrays"], blobs)["b"][:] = 9
    path = load(kept["file"], blobs)
    path.chmod(0o644)
    path.write_bytes(b"changed by a step")
    assert {name: save(load(dataset, blobs), blobs).digest for name, dataset in kept.items()} == before
    assert all(blobs.verify(dataset.blob) for dataset in kept.values()), "no blob was written into"
    load(kept["file"], blobs).unlink()
    assert load(kept["file"], blobs).read_bytes() == b"abc"


_SAVE = """
import sys
from pathlib import Path
from tests.data.test_datasets import values
from plusone.data.datasets import save
from plusone.store import Blobs
for name, value in values(Path(sys.argv[1])).items():
    print(name, save(value, Blobs(Path(sys.argv[1]) / "blobs")).digest)
"""


@pytest.mark.slow
def test_the_same_content_has_the_same_digest_in_any_process(repository: Path, tmp_path: Path, blobs: Blobs) -> None:
    here = "".join(f"{name} {save(value, blobs).digest}\n" for name, value in values(tmp_path).items())
    done = subprocess.run(
        [sys.executable, "-c", _SAVE, str(tmp_path)],
        cwd=repository,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": "1"},
    )
    assert done.stdout == here


def test_equal_bytes_of_different_kinds_are_different_datasets(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"[1]")
    (tmp_path / "b.json").write_bytes(b"[1]")
    kept = [save([1], blobs), save(tmp_path / "a.json", blobs), save(tmp_path / "b.json", blobs)]
    assert len({one.digest for one in kept}) == 3
    assert len({one.blob for one in kept}) == 1


def test_a_changed_or_lost_blob_is_an_error_in_every_kind(blobs: Blobs, tmp_path: Path) -> None:
    for dataset in [save(value, blobs) for value in values(tmp_path).values()]:
        path = blobs.path(dataset.blob)
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-1] + b"!")
        with pytest.raises(BrokenArtifact, match="was changed"):
            load(dataset, blobs)
        path.unlink()
        with pytest.raises(BrokenArtifact, match="is missing"):
            load(dataset, blobs)


def test_only_a_table_is_loaded_as_one(blobs: Blobs) -> None:
    with pytest.raises(UnsafeValue, match="of kind 'json': expected a table"):
        load_table(save([1], blobs), blobs)
