"""A real language model, tested as a user tests one: small, at times wrong, and not the same twice.

It runs in an environment of its own, which `make llm` makes: 135 million parameters (SmolLM2, Apache-2.0), on one core.
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plusone import check
from plusone.measuring.outcomes import CheckFailed, Inconclusive, recording

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-llm" / "bin" / "python"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.exists(), reason="not run: no language model here: `make llm` has it"),
]

Generator = Callable[..., Callable[[Any], str]]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 20}, "large": {"type": "boolean"}},
    "required": ["city", "large"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def generator() -> Iterator[Generator]:
    """Return what makes a prompt chain: a function that sends a case to the model over HTTP."""
    script = ROOT / "tests" / "journeys" / "scripts" / "generator.py"
    process = subprocess.Popen(
        [PYTHON, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    seeds = itertools.count()

    def make(**options: Any) -> Callable[[Any], str]:
        def ask(case: Any) -> str:
            content = case if isinstance(case, str) else case["question"]
            body = {
                "messages": [{"role": "user", "content": content}],
                "max_tokens": 12,
                "seed": next(seeds),
                **options,
            }
            head = {"Content-Type": "application/json"}
            request = urllib.request.Request(f"{address}/v1/chat/completions", json.dumps(body).encode(), head)  # noqa: S310  our own process
            with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310  our own process
                return json.loads(answer.read())["choices"][0]["message"]["content"]

        return ask

    yield make
    process.communicate(timeout=30)


def measure(run: Any, *arguments: Any, **options: Any) -> tuple[str, dict[str, dict[str, Any]], str]:
    """Return the outcome, each case by its name, and the message."""
    with recording() as measured:
        try:
            run(*arguments, **options)
            outcome = "passed"
        except (CheckFailed, Inconclusive) as error:
            outcome = type(error).__name__
    print(measured[0]["message"])
    return outcome, {case["case"]: case for case in measured[0]["cases"]}, measured[0]["message"]


def test_what_it_half_knows_closes_the_gate_and_what_it_hardly_knows_is_named(generator: Generator):
    cases = [
        {"case": "Australia", "question": "What is the capital of Australia?", "expected": "Canberra"},
        {"case": "product", "question": "What is 17 times 23?", "expected": "391"},
    ]
    outcome, found, message = measure(check.contains, generator(temperature=0.8), cases, threads=2, timeout_s=120)
    # It says Canberra, and Sydney nearly as often: that is no pass, whatever the other cases are.
    assert 0 < found["Australia"]["passed"] < 20
    assert found["Australia"]["outcome"] in ("inconclusive", "failed")
    assert found["product"]["outcome"] == "failed"
    assert outcome == "CheckFailed"
    # Once in a while it is right by luck.
    assert found["product"]["passed"] < 5
    assert re.search(r"product: \d of 20 good: does not contain '391'", message)
    assert "Australia: " in message


def test_json_by_a_schema_is_always_json(generator: Generator):
    chain = generator(temperature=1.0, max_tokens=40, response_format={"type": "json_object", "schema": SCHEMA})
    case = {"case": "city", "question": "Describe a city as JSON."}
    assert measure(check.valid_json, chain, [case], schema=SCHEMA, repeats=8, rate=0.5)[0] == "passed"
    free = generator(temperature=1.0, max_tokens=40)
    outcome, found, _ = measure(check.valid_json, free, [case], schema=SCHEMA, repeats=8, rate=0.5)
    assert outcome == "CheckFailed"
    assert found["city"]["passed"] < 2


def test_without_chance_the_same_answer_is_similar_to_itself(generator: Generator):
    chain = generator(temperature=0.0)
    first = chain("What is the capital of France?")
    options: dict[str, Any] = {"text": first, "by": "rouge_l", "bound": 0.99, "repeats": 3, "rate": 0.2}
    assert measure(check.similar, chain, ["What is the capital of France?"], **options)[0] == "passed"
    outcome, _, _ = measure(
        check.judge, chain, ["What is the capital of France?"], lambda _, text: len(text.split()) < 3, repeats=1
    )
    assert outcome == "CheckFailed"
