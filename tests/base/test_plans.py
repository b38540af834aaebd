"""Plans of rollouts: what is read, what is refused and how, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.errors import UsageError
from plusone.base.plans import parse_plan, step_text
from plusone.base.rollouts import RolloutStep

STEPS = st.builds(
    RolloutStep,
    kind=st.sampled_from(["shadow", "canary"]),
    share=st.integers(1, 9999).map(lambda n: n / 10000),
    duration_s=st.integers(0, 10**7).map(float) | st.integers(0, 10**5).map(lambda n: n / 1000),
    least_requests=st.integers(1, 10**9 - 1),
)


@pytest.mark.parametrize(
    ("text", "kind", "share", "duration_s", "least"),
    [
        ("shadow 2m", "shadow", 1.0, 120.0, 100),
        ("shadow 50% 10m", "shadow", 0.5, 600.0, 100),
        ("shadow 100% 1s 1", "shadow", 1.0, 1.0, 1),
        ("5% 5m", "canary", 0.05, 300.0, 100),
        ("0.5% 1.5h 1000", "canary", 0.005, 5400.0, 1000),
        (" 50%\t2d ", "canary", 0.5, 172800.0, 100),
        ("99.999999% 0s", "canary", 0.99999999, 0.0, 100),
    ],
)
def test_a_step_is_read_as_it_is_meant(text: str, kind: str, share: float, duration_s: float, least: int):
    [step] = parse_plan([text], "here")
    assert (step.kind, step.share, step.duration_s, step.least_requests) == (kind, share, duration_s, least)


@given(STEPS)
def test_a_step_that_is_written_is_read_as_the_same(step: RolloutStep):
    assert parse_plan([step_text(step)], "here") == (step,)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "5%", "5m", "5 5m", "5% 5", "5% 5min", "5%5m", "% 5m", "-5% 5m", "+5% 5m", "5% -5m", "5e1% 5m",
        "5,5% 5m", "0% 5m", "0.0% 5m", "100% 5m", "101% 5m", "shadow", "shadow 0% 5m", "shadow 101% 5m", "Shadow 5m",
        "canary 5% 5m", "5% 5m 0", "5% 5m -1", "5% 5m 1.5", "5% 5m 10 10", "5% 5m, 50% 5m", "5% 367d",
        "5% 999999999d", "nan% 5m", "5% infs", "5\u066a 5m", "\u0665% 5m", "5% \u0665m", "5% 5m\n50% 5m", "5% 5m\0",
        "9" * 5000 + "% 5m", "5% " + "9" * 5000 + "m", "5.% 5m", "shadow shadow 5m", "0.0000001% 5m",
    ],
)  # fmt: skip
def test_what_is_no_step_is_refused_with_the_place_the_value_and_what_mends_it(text: str):
    with pytest.raises(UsageError) as refused:
        parse_plan(["1% 1s", text], "pyproject.toml, [tool.plusone] rollout")
    assert refused.value.message.startswith("pyproject.toml, [tool.plusone] rollout, step 2: ")
    assert repr(text[:100])[1:20] in refused.value.message
    assert "shadow 2m" in refused.value.mend
    assert len(refused.value.message) < 600


@given(st.lists(st.text() | st.text("0123456789.%smhd shadow"), max_size=4))
def test_any_text_is_a_plan_or_the_callers_mistake(texts: list[str]):
    try:
        plan = parse_plan(texts, "here")
    except UsageError:
        return
    shares = [step.share for step in plan if step.kind == "canary"]
    assert shares == sorted(set(shares))
    assert all(0.0 < step.share <= 1.0 and step.duration_s >= 0.0 and step.least_requests >= 1 for step in plan)


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (["5% 5m", "5% 5m"], "grow"),
        (["50% 5m", "5% 5m"], "grow"),
        (["shadow 5m", "shadow 50% 5m"], "grow"),
        (["5% 5m", "shadow 5m"], "shadows first"),
        ([f"{share}% 1s" for share in range(1, 22)], "at most 20"),
    ],
)
def test_shares_grow_shadows_come_first_and_there_are_not_too_many(plan: list[str], why: str):
    with pytest.raises(UsageError, match=why):
        parse_plan(plan, "here")
    assert parse_plan(["shadow 10% 1s", "shadow 1s", "1% 1s"], "here")
    assert parse_plan([], "here") == ()
