"""What a type is, told by its name, and nothing of it imported."""

from __future__ import annotations

import sys

import msgspec
import pytest

from plusone.base.records import Field, Output, Package, Signature
from plusone.trust.types import asked_of, describe


@pytest.mark.parametrize(
    ("name", "module", "own", "source", "powerful"),
    [
        ("sklearn.tree._tree.Tree", "sklearn.tree._tree", "Tree", "scikit-learn", False),
        ("numpy.random.Generator", "numpy.random", "Generator", "numpy", False),
        ("scipy.sparse.csr_matrix", "scipy.sparse", "csr_matrix", "scipy", False),
        ("os.system", "os", "system", "the standard library", True),
        ("builtins.eval", "builtins", "eval", "the standard library", True),
        ("fractions.Fraction", "fractions", "Fraction", "the standard library", False),
        ("operator.methodcaller", "operator", "methodcaller", "the standard library", True),
        ("forecasting.model.Trend", "forecasting.model", "Trend", "another package, or the project's own code", False),
        ("osprey.system", "osprey", "system", "another package, or the project's own code", False),
        ("eval", "", "eval", "another package, or the project's own code", False),
        ("", "", "", "another package, or the project's own code", False),
    ],
)
def test_names_say_what_types_are(name: str, module: str, own: str, source: str, powerful: bool):
    found = describe(name)
    assert (found.module, found.own_name, found.source, found.powerful) == (module, own, source, powerful)


def test_what_a_package_asks_for_is_not_imported():
    package = Package(
        model="m",
        format="skops",
        signature=Signature(fields=(Field(name="x", dtype="float64"),), output=Output(name="y", kind="number")),
        files=(),
        options={"types": ["this.x", "antigravity.y", "this.x"]},
    )
    assert [one.name for one in asked_of(package)] == ["antigravity.y", "this.x"]
    assert "this" not in sys.modules
    assert "antigravity" not in sys.modules
    assert asked_of(msgspec.structs.replace(package, options={})) == ()
