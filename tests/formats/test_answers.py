"""What numbers are taken for: every line of the table in docs/tasks/models.md, and what can't be told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.errors import Incompatible, UsageError
from plusone.base.records import Field
from plusone.formats.answers import CHUNK, Asked, Meaning, Said, decide, spans, write
from plusone.graphs.graph import Graph
from plusone.graphs.layout import Columns, plan_blocks
from plusone.graphs.runner import OnnxRunner

LOGITS = np.array([[2.0, -1.0, 0.5], [0.0, 0.0, 0.0]], np.float32)
SHARES = np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]], np.float32)
NONE = Said()


def meaning_of(raw: Any, labels: Any, said: Said = NONE) -> Meaning:
    return decide(raw, labels, said, mend="say answers={}")


@pytest.mark.parametrize(
    ("raw", "labels", "kind", "last", "classes"),
    [
        (LOGITS, ["a", "b", "c"], "classes", "softmax", ("a", "b", "c")),
        (SHARES, ["a", "b", "c"], "classes", "none", ("a", "b", "c")),
        (LOGITS, [0, 2], "classes", "softmax", (0, 1, 2)),
        (LOGITS[:, :1], [False, True], "classes", "sigmoid", (False, True)),
        (LOGITS[:, 0], [1, 2], "classes", "sigmoid", (1, 2)),
        (SHARES[:, :1], [0, 1], "classes", "pair", (0, 1)),
        (LOGITS[:, 0], [], "number", "none", ()),
        (LOGITS[:, :1], [1, 2, 3], "number", "none", ()),
        (LOGITS, [], "vector", "none", ()),
    ],
)
def test_the_table(raw: Any, labels: Any, kind: str, last: str, classes: Any):
    found = meaning_of(raw, labels)
    assert (found.output.kind, found.last, found.output.classes) == (kind, last, classes)
    assert found.output.width == (3 if kind == "vector" else 1)


@pytest.mark.parametrize(
    ("raw", "labels", "words"),
    [
        (LOGITS, ["a", "b"], "3 numbers to each row, and the target .* 2 labels"),
        (LOGITS, [1, 2, 3, 4], "4 labels"),
        (LOGITS, [7, 8, 9, 10], "4 labels"),
        (LOGITS[:, 0], ["a", "b", "c"], "1 number to each row"),
        (LOGITS.astype(np.int64), ["a", "b", "c"], "numbers of type int64"),
        (LOGITS * np.nan, ["a", "b", "c"], "NaN or infinity"),
        (LOGITS[:, :, None], [], r"shape \(rows, 3, 1\)"),
        (np.array([["a"]]), [], "expected .* numbers"),
        (np.empty((0, 3), np.float32), [], "expected"),
    ],
)
def test_what_can_not_be_told(raw: Any, labels: Any, words: str):
    with pytest.raises(Incompatible, match=words) as caught:
        meaning_of(raw, labels)
    assert caught.value.mend


def test_rows_that_are_not_finite_do_not_decide():
    raw = np.concatenate([SHARES, np.full((1, 3), np.nan, np.float32)])
    assert meaning_of(raw, ["a", "b", "c"]).last == "none"


def test_a_vector_of_one_is_a_number():
    assert meaning_of(LOGITS[:, 0], [], Said.of("vector", (), ())).output.kind == "number"
    named = meaning_of(LOGITS, ["a"], Said.of(None, (), ["x", "y", "z"])).output
    assert (named.kind, named.names) == ("vector", ("x", "y", "z"))
    with pytest.raises(Incompatible, match="3 numbers to each row, and 2 names"):
        meaning_of(LOGITS, [], Said.of(None, (), ["x", "y"]))


def test_labels_of_numpy_are_plain_ones():
    said = Said.of(None, np.array([3, 1]), ())
    assert said.classes == (3, 1)
    assert type(said.classes[0]) is int
    with pytest.raises(UsageError, match="say different things"):
        Said(classes=(1, 2), names=("a",)).of(None, (1, 2), ("a",))


@given(st.integers(0, 3 * CHUNK))
def test_spans_cover_every_row_once(rows: int):
    found = list(spans(rows))
    assert [row for span in found for row in range(rows)[span]] == list(range(rows))
    assert found


@pytest.mark.parametrize(
    ("columns", "labels", "expected"),
    [
        (
            3,
            ["a", "b", "c"],
            [[0.7856, 0.0391, 0.1753], [1 / 3, 1 / 3, 1 / 3]],
        ),  # e^2, e^-1, e^0.5 over their sum 9.4056
        (1, ["no", "yes"], [[0.1192, 0.8808], [0.5, 0.5]]),  # 1 / (1 + e^-2)
        (1, [], [2.0, 0.0]),
        (3, [], LOGITS.tolist()),
    ],
)
def test_the_graph_answers_as_what_is_asked(columns: int, labels: Any, expected: Any):
    raw = LOGITS[:, :columns]
    meaning = meaning_of(raw, labels)
    blocks = plan_blocks([Field(name="x", dtype="float32", shape=(columns,))])
    graph = Graph(blocks, np.float32)
    data = write(graph, blocks[0].name, meaning).graph
    kind = meaning.output.kind
    runner = OnnxRunner(data, "probabilities" if kind == "classes" else kind, meaning.output.classes)
    answer = runner.run(Columns(2, {blocks[0].name: np.ascontiguousarray(raw)}))
    asked = Asked(lambda rows: rows, meaning)
    numbers = asked.predict_proba(raw) if labels else asked.predict(raw)
    np.testing.assert_allclose(numbers, expected, atol=1e-4)
    np.testing.assert_allclose(answer.probabilities if labels else answer.numbers, expected, atol=1e-4)
    np.testing.assert_array_equal(answer.labels, asked.predict(raw))
