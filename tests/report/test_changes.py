"""What changed: only what differs, side by side, with the code as a diff."""

from __future__ import annotations

from typing import Any

import msgspec

from plusone.report.changes import changes_section, checks_beside
from plusone.report.html import Room
from tests.report.made import check, material, session
from tests.report.reading import Page, read


def shown(**changes: Any) -> Page:
    whole = material()
    assert whole.before is not None
    before = msgspec.structs.replace(whole.before, changes=changes, session=whole.session)
    return read(changes_section(msgspec.structs.replace(whole, before=before), Room()))


def test_the_first_release_has_nothing_before_it():
    assert "the first release" in changes_section(material(before=None), Room())


def test_when_nothing_differs_it_says_so():
    page = shown()
    assert "Nothing differs." in page.text
    assert "Compared with x@1, the newest that was live" in page.text


def test_settings_metrics_and_data_are_side_by_side():
    page = shown(
        settings={"max_iter": [100, 150]},
        metrics={"auc": [0.7, None]},
        data={"train": [{"digest": "a" * 64, "rows": 1000}, {"digest": "b" * 64, "rows": 2000}]},
    )
    assert "max_iter 100 150" in page.text
    assert "auc 0.7 -" in page.text
    assert "train 1,000 rows, aaaaaaaaaaaa 2,000 rows, bbbbbbbbbbbb" in page.text


def test_of_a_field_only_what_differs_is_shown():
    one = {"dtype": "int64", "nullable": False, "maximum": 1.0}
    page = shown(signature={"temp": [one, {**one, "nullable": True, "maximum": 2.0}], "new": [None, one]})
    assert "temp · nullable no yes" in page.text
    assert "temp · maximum" not in page.text, "ranges are among the columns of the data"
    assert "new - dtype int64" in page.text


def test_changed_code_is_a_diff_with_its_lines_counted():
    lines = ["--- a/pipeline.py", "+++ b/pipeline.py", "@@ -1 +1 @@", " same", "-old", "+new", "+more"]
    html = changes_section(
        msgspec.structs.replace(material(), before=_before(code={"pipeline.py": {"diff": lines}})), Room()
    )
    assert "+2 \u22121" in html
    assert '<span class="added">+new</span>' in html
    assert '<span class="gone">-old</span>' in html


def _before(**changes: Any) -> Any:
    before = material().before
    assert before is not None
    return msgspec.structs.replace(before, changes=changes)


def test_many_moved_columns_are_folded():
    few = {"a": {"mean": [1.0, 2.0]}}
    many = {f"c{n}": {"mean": [1.0, 2.0]} for n in range(20)}
    for moved, opened in ((few, True), (many, False)):
        html = changes_section(msgspec.structs.replace(material(), before=_before(data={"profile": moved})), Room())
        assert ("<details open><summary>How the training data moved" in html) is opened


def test_checks_that_are_new_gone_or_came_out_otherwise():
    one = session(check("a"), check("b"), check("c"))
    other = session(check("a"), check("b", outcome="failed"), check("d"))
    found = {test: (a.outcome if a else None, b.outcome if b else None) for test, a, b in checks_beside(one, other)}
    assert found == {"b": ("passed", "failed"), "c": ("passed", None), "d": (None, "passed")}
    assert list(checks_beside(None, None)) == []


def test_of_many_checks_that_differ_what_closes_comes_first_and_they_are_folded():
    whole = material(session=session(*(check(f"t{n}") for n in range(20)), check("bad", outcome="failed")))
    assert whole.before is not None
    before = msgspec.structs.replace(whole.before, changes={}, session=session())
    html = changes_section(msgspec.structs.replace(whole, before=before), Room())
    assert "<details><summary>21 checks came out otherwise, are new or are gone" in html
    assert html.index(">bad<") < html.index(">t0<")
