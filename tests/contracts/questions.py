"""Random questions: filters and orders that meet the random runs of `test_search.py`."""

from __future__ import annotations

import random
from typing import Any, cast

from plusone.search.filter import Condition, Kind, Order

__all__ = ["ask_filter", "ask_order"]

_NUMBERS = ("=", "!=", ">", ">=", "<", "<=")
_ATTRIBUTES = ("run_id", "run_name", "user_id", "experiment_id", "artifact_uri", "model", "source")
_TIMES = (1767225600000, 1767225660000, 1767225660001, 1767225720000.5, 1767229260000, -1, 10**40, -(10**40))


def ask_filter(random_: random.Random, texts: tuple[str, ...]) -> tuple[Condition, ...]:
    """Return up to four conditions; most of them are fulfilled by some of the runs."""
    return tuple(_condition(random_, texts) for _ in range(random_.choice((0, 1, 1, 2, 2, 3, 4))))


def _condition(random_: random.Random, texts: tuple[str, ...]) -> Condition:
    kind = random_.choice(("metric", "metric", "param", "tag", "attribute", "time", "dataset"))
    if kind == "metric":
        value = random_.choice((0.0, 1.0, 2.5, 1e300, -1.0))
        return _made("metric", random_.choice("xyzw"), random_.choice(_NUMBERS), value)
    if kind == "time":
        return _made(
            "attribute", random_.choice(("start_time", "end_time")), random_.choice(_NUMBERS), random_.choice(_TIMES)
        )
    if kind == "dataset":
        return _texts(random_, "dataset", random_.choice(("name", "digest", "context")), ("a", "1", "train", "eval"))
    if kind == "attribute":
        return _texts(
            random_, "attribute", random_.choice(_ATTRIBUTES), ("train", "ann", "0", "e1", "flights", "release")
        )
    key = random_.choice("xyzn")
    if random_.random() < 0.2:
        return _made(kind, key, random_.choice(("IS NULL", "IS NOT NULL")), None)
    return _texts(random_, kind, key, texts)


def _texts(random_: random.Random, kind: str, key: str, texts: tuple[str, ...]) -> Condition:
    comparator = random_.choice(("=", "!=", "LIKE", "ILIKE", "IN", "NOT IN"))
    if comparator in ("IN", "NOT IN"):
        return _made(kind, key, comparator, tuple(random_.choice(texts) for _ in range(random_.choice((1, 2, 3)))))
    text = random_.choice(texts)
    if comparator in ("LIKE", "ILIKE"):
        text = random_.choice(
            ("%", "a%", "%a%", "_", "%[%", "%*%", "é", "%" + text, text + "%", "%" + text[-1:] + "%", "A_%")
        )
    return _made(kind, key, comparator, text)


def _made(kind: str, key: str, comparator: Any, value: Any) -> Condition:
    return Condition(cast("Kind", kind), key, comparator, value)


def ask_order(random_: random.Random) -> tuple[Order, ...]:
    """Return up to three keys of an order."""
    keys = [("metric", key) for key in "xyzw"] + [("param", key) for key in "xn"] + [("tag", key) for key in "yz"]
    keys += [("attribute", key) for key in ("start_time", "end_time", "run_name", "status", "model", "run_id")]
    chosen = random_.sample(keys, random_.choice((0, 1, 1, 1, 2, 3)))
    return tuple(Order(cast("Kind", kind), key, random_.random() < 0.5) for kind, key in chosen)
