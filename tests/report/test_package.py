"""The package on the report: fields, proof, files, lock, signatures."""

from __future__ import annotations

from typing import Any

import msgspec

from plusone.base.records import Field, Output, Signature
from plusone.report.html import Room
from plusone.report.package import package_section
from tests.report.made import material
from tests.report.reading import Page, read


def shown(**changes: Any) -> Page:
    whole = material()
    page = read(
        package_section(
            msgspec.structs.replace(whole, package=msgspec.structs.replace(whole.package, **changes)), Room()
        )
    )
    assert page.faults == []
    return page


def test_the_proof_has_its_rows_and_differences():
    assert "on 20 rows: largest difference 1e-07, allowed 1e-05" in shown().text
    assert "8 bits left out: x" in shown().text
    edges = shown(proof={"rows": 5, "edges": {"rows": 900, "differ": 0}}).text
    assert "900 rows beside thresholds and at ends of ranges: equal" in edges
    assert "proven" not in shown(proof={}).text


def test_every_field_says_what_it_held_in_training():
    fields = (
        Field(name="image", dtype="float32", shape=(2, 3)),
        Field(name="word", dtype="string"),
        Field(name="n", dtype="int64", minimum=1.0, maximum=9.0, example=3, nullable=True),
        Field(name="c", dtype="string", categories=tuple("abcdef"), unseen="refuse"),
    )
    page = shown(signature=Signature(fields=fields, output=Output(name="y", kind="vector", width=8)))
    assert "image float32 [2, 3] no - -" in page.text
    assert "word string no any text -" in page.text
    assert "n int64 yes 1 to 9 3" in page.text
    assert "6 values (a, b, c, d, …); others refused" in page.text
    assert "others accepted" in shown().text
    assert "y: 8 numbers" in page.text


def test_files_lock_and_signatures_are_whole():
    page = shown()
    assert "f" * 64 in page.text
    assert "numpy==2.0" in page.text
    assert "Signed by x on 2026-01-31 12:00:00 UTC" in page.text
    assert "Nobody signed it." in package_section(material(signatures=()), Room())
