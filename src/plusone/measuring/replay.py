"""Replay: a candidate is asked the newest real requests of its model, beside the live release."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from ..graphs.layout import Columns
from ..labels.labels import label_reader
from ..monitoring.replay import Differences, comparable, compare, compare_labels, describe_change, slices_of
from ..monitoring.replayed import Labelled, Latency, Refused, Replayed, Slice
from .asked import Refusal, Reply, ask, read_request
from .figures import bars, histograms
from .shifts import prediction_shift
from .turns import time_both

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from ..predictor import Predictor

__all__ = ["replay"]

_TIMED = 256
_BARS = 15
_BINS = 20


def replay(
    model: Predictor,
    live: Predictor,
    requests: pa.Table,
    *,
    candidate: str = "the candidate",
    before: str = "the live release",
    labels_margin: float = 0.02,
) -> Replayed:
    """Return what came of asking both models these requests, in the order in which they came.

    The live release answers them again: what it says now, on this machine, is compared with what the candidate says, so
    that the two differ by the models alone.

    Args:
        requests: one or more, with the columns of `monitoring.requests`.
        candidate: what the two are called in messages; `before` likewise.
        labels_margin: how much worse the candidate may be, as `compare_labels` takes it.
    """
    began = time.perf_counter()
    ours, theirs = ask(model, requests), ask(live, requests)
    ids = requests["id"].to_pylist()
    there = theirs.rows > 0
    both = there & (ours.rows == theirs.rows)
    found: dict[str, Any] = {
        "refused": _refused((one for one in ours.refusals if there[one.place]), ids),
        "refused_by_both": _refused((one for one in ours.refusals if not there[one.place]), ids),
        "only_candidate": int(((ours.rows > 0) & ~there).sum()),
        "kinds": comparable(model.signature.output, live.signature.output),
    }
    if both.any() and not found["kinds"]:
        found |= _compared(model, live, requests, ours, theirs, both, labels_margin)
    if both.any():
        found["latency"] = _latency(model, live, requests, both)
    times = requests["at"]
    return Replayed(
        model=model.package.model,
        candidate=candidate,
        live=before,
        requests=requests.num_rows,
        rows=int(theirs.rows[both].sum()),
        first_at=_moment(times[0]),
        last_at=_moment(times[-1]),
        releases={str(one): count for one, count in sorted(Counter(requests["release"].to_pylist()).items())},
        took_s=round(time.perf_counter() - began, 3),
        **found,
    )


def _moment(value: Any) -> str:
    return value.as_py().strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _refused(refusals: Iterable[Refusal], ids: Sequence[str]) -> tuple[Refused, ...]:
    grouped: dict[tuple[str, str], list[Refusal]] = {}
    for one in refusals:
        grouped.setdefault((one.field, one.reason), []).append(one)
    return tuple(
        Refused(
            field=field, reason=reason, requests=len(some), example=ids[some[0].place][:200], message=some[0].message
        )
        for (field, reason), some in sorted(grouped.items(), key=lambda item: (-len(item[1]), item[0]))
    )


def _compared(
    model: Predictor,
    live: Predictor,
    requests: pa.Table,
    ours: Reply,
    theirs: Reply,
    both: NDArray[np.bool_],
    margin: float,
) -> dict[str, Any]:
    if ours.answer is None or theirs.answer is None:
        return {}
    kept = [np.repeat(both, reply.rows) for reply in (ours, theirs)]
    answer, live_answer = ours.answer.pick(kept[0].tolist()), theirs.answer.pick(kept[1].tolist())
    output, live_output = model.signature.output, live.signature.output
    differences = compare(output, answer, live_output, live_answer)
    slices = slices_of(differences.changed, {name: values[kept[1]] for name, values in theirs.fields.items()})
    shift = prediction_shift(answer, output, live_answer, live_output)
    changed = describe_change(differences, slices, _figures(differences, slices))
    changed = msgspec.structs.replace(changed, measured={**changed.measured, "prediction_shift": shift})
    places, truths = _truths(requests, theirs.rows, both, live)
    labels: Labelled | None = None
    if places:
        known = set(places)
        picked = [place in known for place in range(answer.rows)]
        labels = compare_labels(
            output, answer.pick(picked), live_output, live_answer.pick(picked), truths, margin=margin
        )
    return {"changed": changed, "labels": labels}


def _truths(
    requests: pa.Table, rows: NDArray[np.int64], both: NDArray[np.bool_], live: Predictor
) -> tuple[list[int], list[Any]]:
    """Return which of the rows that both answered have a label, ascending, and the labels; what is none is left out."""
    read = label_reader(live.signature.output)
    begins = np.cumsum(np.where(both, rows, 0)) - np.where(both, rows, 0)
    found: dict[int, Any] = {}
    for place, labels in enumerate(requests["labels"].to_pylist()):
        for label in labels or () if both[place] else ():
            if 0 <= label["row"] < rows[place] and (kept := _kept(read, label["value"])) is not None:
                found[int(begins[place]) + label["row"]] = msgspec.json.decode(kept)
    return sorted(found), [found[place] for place in sorted(found)]


def _kept(read: Any, text: str | None) -> str | None:
    try:
        return read(msgspec.json.decode(text or ""))
    except (msgspec.MsgspecError, RecursionError):
        return None


def _figures(differences: Differences, slices: Sequence[Slice]) -> list[dict[str, Any]]:
    shown = slices[:_BARS]
    figures: list[dict[str, Any]] = []
    if shown:
        names = [f"{one.field}: {one.values}" for one in shown]
        low, high = [one.low for one in shown], [one.high for one in shown]
        figures.append(bars("Who is answered differently", names, [one.share for one in shown], low=low, high=high))
    top = float(differences.size.max(initial=0.0))
    edges = np.linspace(0.0, top or 1.0, _BINS + 1)
    counts, _ = np.histogram(differences.size, bins=edges)
    names = [f"{low:.3g} to {high:.3g}" for low, high in itertools.pairwise(edges.tolist())]
    shares = (counts / max(1, counts.sum())).tolist()
    figures.append(histograms("How far the answers differ", names, {"rows": shares}, x=differences.unit))
    return figures


def _latency(model: Predictor, live: Predictor, requests: pa.Table, both: NDArray[np.bool_]) -> Latency:
    """Time both on one row each of up to 256 requests, evenly spread over those that both answer."""
    places = np.flatnonzero(both)
    places = places[np.linspace(0, len(places) - 1, min(_TIMED, len(places))).astype(np.int64)]
    some = requests.take(np.unique(places))
    pairs = list(zip(some["kind"].to_pylist(), some["request"].to_pylist(), strict=True))
    asked = [[_first_row(one, kind, body) for kind, body in pairs] for one in (model, live)]
    timed = time_both((model, asked[0]), (live, asked[1]))
    return Latency(
        rows=timed.rows,
        candidate_ms=timed.first_ms,
        live_ms=timed.second_ms,
        ratio=timed.ratio,
        low=timed.low,
        high=timed.high,
        batch_rows=timed.batch_rows,
        batch_ratio=timed.batch_ratio,
    )


def _first_row(model: Predictor, kind: str, body: bytes) -> Columns:
    found = read_request(model, kind, body)
    return model.gather(found[:1]) if isinstance(found, list) else found.take(0, 1)
