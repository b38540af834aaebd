"""What answers are held against: JSON and its schemas, similarities, the verdicts of judges.

What can't be used is refused before anything is asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from ..base.errors import UsageError

if TYPE_CHECKING:
    from .tries import Grade

__all__ = ["measure_of", "reader", "verdict_of"]


def reader(schema: Any) -> Callable[[str], str]:
    """Return what says why a text is not JSON of a schema: '' when it is.

    Raises:
        UsageError: when the schema is none, or jsonschema is not installed.
    """
    if isinstance(schema, dict):
        return _by_schema(schema)
    try:
        decoder = msgspec.json.Decoder(Any if schema is None else schema)
    except (TypeError, ValueError, AttributeError, NameError) as error:
        raise UsageError(
            f"schema = {str(schema)[:80]}: {error}.", mend="give a JSON Schema as a dict, or a type: schema=list[int]"
        ) from error

    def read(text: str) -> str:
        try:
            decoder.decode(text.encode("utf-8", "surrogatepass"))
        except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
            return _said(error)
        return ""

    return read


def _by_schema(schema: dict[str, Any]) -> Callable[[str], str]:
    try:
        import jsonschema
        import jsonschema_specifications
        from jsonschema.exceptions import best_match
        from jsonschema.validators import validator_for
    except ImportError as error:
        raise UsageError(
            "A JSON Schema needs the package jsonschema, which is not installed.", mend="pip install 'plusone[text]'"
        ) from error
    kind = validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(schema)
    except (jsonschema.SchemaError, RecursionError, TypeError) as error:
        raise UsageError(
            f"The schema is no JSON Schema: {str(getattr(error, 'message', error))[:300]}.",
            mend="{'type': 'object', 'required': ['name']}, say: https://json-schema.org has the rest",
        ) from error
    # With a registry of its own it fetches nothing over the network, whatever a $ref says.
    validator = kind(schema, registry=jsonschema_specifications.REGISTRY)

    def read(text: str) -> str:
        try:
            value = msgspec.json.decode(text.encode("utf-8", "surrogatepass"))
            # Whatever it can't do (a $ref to elsewhere, say) is no pass.
            found = best_match(validator.iter_errors(value))
        except Exception as error:
            return _said(error)
        return "" if found is None else f"does not fit the schema at {found.json_path}: {found.message[:200]}"

    return read


def _said(error: BaseException) -> str:
    return f"is no such JSON: {str(error)[:200] or type(error).__name__}"


def measure_of(by: Any) -> tuple[Callable[[str, str], float], str]:
    """Return what says how alike two texts are, and its name.

    Raises:
        UsageError: when there is none of that name.
    """
    from ..statistics.similarity import SIMILARITIES, cosine

    if callable(by):

        def alike(a: str, b: str) -> float:
            return cosine(_vector(by(a)), _vector(by(b)))

        return alike, f"cosine of {getattr(by, '__qualname__', type(by).__name__)}"
    if not isinstance(by, str) or by not in SIMILARITIES:
        known = ", ".join(map(repr, sorted(SIMILARITIES)))
        raise UsageError(
            f"by = {str(by)[:80]!r}: expected one of {known}, or a function that makes a vector of a text.",
            mend=f"by={min(SIMILARITIES)!r}",
        )
    return SIMILARITIES[by], by


def _vector(value: Any) -> list[float]:
    listed = value.tolist() if hasattr(value, "tolist") else list(value)
    return [float(one) for one in (listed[0] if len(listed) == 1 and isinstance(listed[0], list) else listed)]


def verdict_of(judge: Any, scale: Any, bound: Any) -> Callable[[Any], Grade]:
    """Return what reads the verdict of a judge: whether an answer is good, or a score from 1 to `scale`.

    Raises:
        UsageError: when the judge can't be called, or scale and bound do not fit each other.
    """
    from .tries import Grade

    if not callable(judge):
        raise UsageError(
            f"judge = {str(judge)[:80]!r}: expected a function that takes a case and an answer.",
            mend="lambda case, answer: case['expected'] in answer",
        )
    if (scale is None) != (bound is None):
        raise UsageError(
            f"scale = {scale!r}, bound = {bound!r}: expected both of them, or neither.", mend="scale=5, bound=4"
        )
    if scale is not None and (
        not _is_number(scale)
        or not _is_number(bound)
        or scale != int(scale)
        or not scale >= 2
        or not 1 < bound <= scale
    ):
        raise UsageError(
            f"scale = {scale!r}, bound = {bound!r}: expected a whole number of 2 or more and a score above 1 up to it.",
            mend="scale=5, bound=4",
        )

    def read(found: Any) -> Grade:
        found = found.item() if hasattr(found, "item") else found
        if scale is None:
            if not isinstance(found, bool):
                raise TypeError(f"the judge said {str(found)[:80]!r}: expected True or False")
            return Grade(found, "" if found else "the judge says no")
        if not _is_number(found) or not 1 <= found <= scale:
            raise TypeError(f"the judge said {str(found)[:80]!r}: expected a score from 1 to {scale:g}")
        good = found >= bound
        return Grade(good, "" if good else f"the judge gives it {found:g} of {scale:g}", float(found))

    return read


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
