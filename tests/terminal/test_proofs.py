"""What a person reads of a proof."""

from __future__ import annotations

from typing import Any

from plusone.terminal.proofs import proof_lines

PROOF: dict[str, Any] = {"rows": 20_003, "max_difference": 1e-7, "tolerance": 1e-5}
EDGES: dict[str, Any] = {
    "rows": 1_211,
    "thresholds": 995,
    "differ": 2,
    "max_difference": 1.0,
    "kinds": {"value": {"rows": 48, "differ": 0}, "threshold": {"rows": 995, "differ": 2}},
    "examples": [{"kind": "threshold", "field": "x", "fields": {"x": 0.1}, "trained": [1.0], "compiled": [0.0]}] * 5,
}


def test_a_proof_with_edges_that_are_all_equal() -> None:
    lines = list(proof_lines(PROOF | {"edges": EDGES | {"differ": 0, "examples": []}}))
    assert lines[0] == "  proven    equal on 20,003 rows: largest difference 1.0e-07, allowed 1e-05"
    assert lines[1:] == ["  edges     1,211 rows, 995 values beside thresholds of trees: equal"]


def test_a_tree_that_flips_is_said_with_an_example() -> None:
    lines = list(proof_lines(PROOF | {"edges": EDGES}))[1:]
    assert lines[0].endswith("2 differ, by up to 1")
    assert lines[1].strip() == "2 of 995 beside thresholds of trees"
    assert lines[2].strip() == "e.g. x = 0.1: trained [1.0], compiled [0.0]"
    assert len(lines) == 4


def test_int8_with_what_it_gained_or_why_it_was_left_out() -> None:
    numbers = {
        "max_difference": 0.003,
        "tolerance": 0.05,
        "size_bytes": {"before": 40_000, "after": 11_000},
        "row_us": {"before": 20.0, "after": 12.0},
        "rows_100_us": {"before": 200.0, "after": 120.0},
    }
    kept = list(proof_lines(PROOF | {"quantised": {"kept": True, "reason": ""} | numbers}))[1:]
    assert [line.strip() for line in kept] == [
        "int8      largest difference 3.0e-03, allowed 5e-02",
        "40,000 -> 11,000 bytes",
        "one row: 20 -> 12 microseconds",
        "100 rows: 200 -> 120 microseconds",
    ]
    (left,) = list(proof_lines(PROOF | {"quantised": {"kept": False, "reason": "no gain"}}))[1:]
    assert left == "  int8      left out: no gain"


def test_a_package_without_a_proof_has_no_lines() -> None:
    assert list(proof_lines({})) == []
