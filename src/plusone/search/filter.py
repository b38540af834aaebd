"""MLflow's filter grammar: text to conditions and back, with errors that point at the place.

    metrics.auc > 0.9 and params.depth = '3' and tags.`mlflow.user` LIKE 'a%' and status IN ('FINISHED', 'FAILED')

A filter is conditions joined by AND; there is no OR and there are no parentheses around conditions. The caller says
with `Fields` what its records can be asked for. Nothing here knows where records are kept: `store/search.py` asks the
database, `search/matching.py` asks a record.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, NoReturn

from ..base.errors import UsageError

__all__ = [
    "EXPERIMENTS",
    "LOGGED_MODELS",
    "MODEL_VERSIONS",
    "REGISTERED_MODELS",
    "RUNS",
    "Condition",
    "Fields",
    "Kind",
    "Order",
    "parse_filter",
    "parse_order",
    "write_filter",
    "write_order",
]

Kind = Literal["attribute", "metric", "param", "tag", "dataset"]
Comparator = Literal["=", "!=", ">", ">=", "<", "<=", "LIKE", "ILIKE", "IN", "NOT IN", "IS NULL", "IS NOT NULL"]
Type = Literal["text", "number"]


class Condition(NamedTuple):
    """One comparison of a filter.

    Attributes:
        value: a float for metrics; an int or a float for attributes that are numbers; a tuple of texts for IN and
            NOT IN; None for IS NULL and IS NOT NULL; else text.
    """

    kind: Kind
    key: str
    comparator: Comparator
    value: float | str | tuple[str, ...] | None


class Order(NamedTuple):
    """One key of an order: what it sorts by, and whether the largest comes first."""

    kind: Kind
    key: str
    descending: bool


class Fields(NamedTuple):
    """What records of one noun can be searched by.

    Attributes:
        noun: what they are, for messages: `runs`.
        attributes: the names that may stand alone or behind `attributes.`, and what each holds.
        kinds: which of metrics, params, tags and datasets they have.
        aliases: other names of attributes.
    """

    noun: str
    attributes: Mapping[str, Type]
    kinds: frozenset[Kind] = frozenset({"tag"})
    aliases: Mapping[str, str] = {}


def _fields(noun: str, texts: str, numbers: str, kinds: Sequence[Kind] = ("tag",), **aliases: str) -> Fields:
    attributes: dict[str, Type] = {}
    attributes |= dict.fromkeys(texts.split(), "text")
    attributes |= dict.fromkeys(numbers.split(), "number")
    return Fields(noun, attributes, frozenset(kinds), aliases)


RUNS = _fields(
    "runs",
    "run_id run_name status user_id experiment_id artifact_uri model source",
    "start_time end_time",
    ("metric", "param", "tag", "dataset"),
    created="start_time",
    Created="start_time",
    name="run_name",
    id="run_id",
    user="user_id",
    **{"run name": "run_name", "Run name": "run_name", "Run Name": "run_name"},
)
EXPERIMENTS = _fields("experiments", "name experiment_id", "creation_time last_update_time")
REGISTERED_MODELS = _fields(
    "registered models", "name", "creation_timestamp last_updated_timestamp", timestamp="last_updated_timestamp"
)
MODEL_VERSIONS = _fields(
    "model versions",
    "name run_id source_path",
    "version_number creation_timestamp last_updated_timestamp",
    version="version_number",
)
LOGGED_MODELS = _fields(
    "logged models",
    "name model_id model_type status source_run_id experiment_id",
    "creation_timestamp creation_time last_updated_timestamp",
    ("metric", "param", "tag"),
)

_NAMES: dict[Kind, tuple[str, ...]] = {
    "metric": ("metrics", "metric"),
    "param": ("params", "param", "parameters", "parameter", "settings", "setting"),
    "tag": ("tags", "tag"),
    "attribute": ("attributes", "attribute", "attr", "run"),
    "dataset": ("datasets", "dataset"),
}
_KINDS = {name: kind for kind, names in _NAMES.items() for name in names}
_PREFIX = {kind: names[0] for kind, names in _NAMES.items()}
_DATASET = ("name", "digest", "context")
_NUMBER: tuple[Comparator, ...] = ("=", "!=", ">", ">=", "<", "<=")
_TEXT: tuple[Comparator, ...] = ("=", "!=", "LIKE", "ILIKE", "IN", "NOT IN")
_NULL: tuple[Comparator, ...] = ("IS NULL", "IS NOT NULL")

_MOST_CHARACTERS = 100_000
_MOST_CONDITIONS = 100
_MOST_PATTERN = 4_000  # SQLite's own bound is 50,000 bytes, and a character may take 12 of them
_MOST_ORDERS = 8
_MOST_DIGITS = 400
_SHOWN = 60


def parse_filter(text: str, *, fields: Fields = RUNS) -> tuple[Condition, ...]:
    """Return the conditions of a filter, all of which must hold; none for an empty text.

    Raises:
        UsageError: when it is no filter of these fields: with the text, the column, what was expected, what was found.
    """
    reader = _Reader(_checked(text, "filter"), "filter", fields)
    if reader.ended:
        return ()
    found = [_condition(reader)]
    while not reader.ended:
        if reader.word() != "AND":
            reader.refuse("AND or the end: conditions are joined by AND, there is no OR and there are no parentheses")
        reader.next()
        found.append(_condition(reader))
        if len(found) > _MOST_CONDITIONS:
            reader.refuse(f"at most {_MOST_CONDITIONS} conditions")
    return tuple(found)


def parse_order(texts: Sequence[str], *, fields: Fields = RUNS) -> tuple[Order, ...]:
    """Return the keys of an order, the first one first: each text is `metrics.auc DESC`, `start_time` or the like.

    Raises:
        UsageError: when one of them is no order of these fields.
    """
    if len(texts) > _MOST_ORDERS:
        raise UsageError(f"The order has {len(texts)} keys: expected at most {_MOST_ORDERS}.")
    found: list[Order] = []
    for text in texts:
        reader = _Reader(_checked(text, "order"), "order", fields)
        kind, key, _ = _identifier(reader)
        if kind == "dataset":
            reader.refuse("metrics, params, tags or an attribute: a run may have many datasets, so none sorts it")
        word = reader.word()
        if word in ("ASC", "DESC"):
            reader.next()
        if not reader.ended:
            reader.refuse("ASC, DESC or the end")
        found.append(Order(kind, key, word == "DESC"))
    return tuple(found)


def write_filter(conditions: Sequence[Condition]) -> str:
    """Return the text of a filter; `parse_filter` makes the same conditions of it."""
    return " AND ".join(_written(condition) for condition in conditions)


def write_order(orders: Sequence[Order]) -> list[str]:
    """Return the texts of an order; `parse_order` makes the same of them."""
    return [f"{_PREFIX[one.kind]}.{_quoted(one.key, '`')} {'DESC' if one.descending else 'ASC'}" for one in orders]


def _written(condition: Condition) -> str:
    value = condition.value
    if value is None:
        said = ""
    elif isinstance(value, tuple):
        said = " (" + ", ".join(_quoted(item, "'") for item in value) + ")"
    else:
        said = " " + (_quoted(value, "'") if isinstance(value, str) else repr(value))
    return f"{_PREFIX[condition.kind]}.{_quoted(condition.key, '`')} {condition.comparator}{said}"


def _quoted(text: str, mark: str) -> str:
    return mark + text.replace(mark, mark * 2) + mark


def _checked(text: str, what: str) -> str:
    if len(text) > _MOST_CHARACTERS:
        raise UsageError(f"The {what} has {len(text)} characters: expected at most {_MOST_CHARACTERS}.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"The {what} is no valid Unicode text at column {error.start + 1}: {text[:_SHOWN]!a}."
        ) from None
    if "\0" in text:
        raise UsageError(f"The {what} has a NUL character at column {text.index(chr(0)) + 1}: expected text.")
    return text


# ---------------------------------------------------------------------------------------------- tokens


class _Token(NamedTuple):
    """A piece of the text. `text` is its content without the quotes; `start` counts from 0."""

    kind: Literal["name", "quoted", "number", "sign", "end"]
    text: str
    start: int
    mark: str = ""
    """The quote around it."""


_SIGNS = ("!=", ">=", "<=", "=", ">", "<", "(", ")", ",")
_QUOTES = "'\"`"
_ENDS_A_NAME = set("=!<>(),;") | set(_QUOTES)


class _Reader:
    """The text of one filter, read token by token; `token` is the next one."""

    def __init__(self, text: str, what: str, fields: Fields) -> None:
        self.text = text
        self.what = what
        self.fields = fields
        self._at = 0
        self.token = self._read()

    def next(self) -> _Token:
        """Return the token and go on to the one after it; at the end it stays there."""
        token = self.token
        self.token = self._read()
        return token

    @property
    def ended(self) -> bool:
        """Whether nothing is left."""
        return self.token.kind == "end"

    def take(self, sign: str) -> bool:
        """Say whether the next token is this sign, and go past it then."""
        found = self.token.kind == "sign" and self.token.text == sign
        if found:
            self.next()
        return found

    def touches(self) -> bool:
        """Say whether the next token follows without white space."""
        return self.token.start > 0 and not self.text[self.token.start - 1].isspace()

    def word(self) -> str:
        """Return the next token in capitals if it is a bare word, else nothing."""
        return self.token.text.upper() if self.token.kind == "name" else ""

    def refuse(self, expected: str, token: _Token | None = None) -> NoReturn:
        """Raise the error that points at a token: the next one, unless another is given."""
        token = token or self.token
        found = "the end" if token.kind == "end" else repr(self.text[token.start : token.start + 30].split("\n")[0])
        self.refuse_at(token.start, f"expected {expected}; found {found}")

    def refuse_at(self, start: int, problem: str) -> NoReturn:
        """Raise the error that points at a place of the text."""
        first = max(0, start - _SHOWN)
        shown = "".join(char if char.isprintable() else " " for char in self.text[first : start + _SHOWN])
        raise UsageError(
            f"The {self.what} can't be read at column {start + 1}: {problem}.\n  {shown}\n  {' ' * (start - first)}^",
            column=start + 1,
        )

    def _read(self) -> _Token:
        while self._at < len(self.text) and self.text[self._at].isspace():
            self._at += 1
        start = self._at
        if start == len(self.text):
            return _Token("end", "", start)
        if self.text[start] in _QUOTES:
            return self._read_quoted(start)
        for sign in _SIGNS:
            if self.text.startswith(sign, start):
                self._at += len(sign)
                return _Token("sign", sign, start)
        while self._at < len(self.text) and not self._ends(self.text[self._at]):
            self._at += 1
        if self._at == start:
            self.refuse_at(start, f"{self.text[start]!r} means nothing here")
        text = self.text[start : self._at]
        return _Token("number" if text[0] in "+-.0123456789" else "name", text, start)

    @staticmethod
    def _ends(char: str) -> bool:
        return char.isspace() or char in _ENDS_A_NAME

    def _read_quoted(self, start: int) -> _Token:
        mark = self.text[start]
        parts: list[str] = []
        at = start + 1
        while True:
            end = self.text.find(mark, at)
            if end < 0:
                self.refuse_at(start, f"the quote {mark} is never closed")
            parts.append(self.text[at:end])
            if not self.text.startswith(mark, end + 1):
                break
            at = end + 2  # a doubled quote stands for the quote itself
        self._at = end + 1
        return _Token("quoted", mark.join(parts), start, mark)


# ---------------------------------------------------------------------------------------------- grammar


def _condition(reader: _Reader) -> Condition:
    kind, key, holds = _identifier(reader)
    allowed = (*_TEXT, *_NULL) if kind in ("param", "tag") else _NUMBER if holds == "number" else _TEXT
    begin = reader.token
    comparator = _comparator(reader)
    if comparator not in allowed:
        reader.refuse(f"for {_PREFIX[kind]}.{key} one of {', '.join(allowed)}", begin)
    if comparator in _NULL:
        return Condition(kind, key, comparator, None)
    if comparator in ("IN", "NOT IN"):
        return Condition(kind, key, comparator, _list(reader))
    if holds == "number":
        return Condition(kind, key, comparator, _number(reader, kind))
    token = reader.token
    value = _text(reader)
    if comparator in ("LIKE", "ILIKE") and len(value) > _MOST_PATTERN:
        reader.refuse(f"a pattern of at most {_MOST_PATTERN} characters", token)
    return Condition(kind, key, comparator, value)


def _identifier(reader: _Reader) -> tuple[Kind, str, Type]:
    """Read `metrics.x`, ``tags.`a b` ``, `attributes.status` or a bare attribute; return its kind, key and type."""
    token = reader.token
    if token.kind != "name" and not (token.kind == "quoted" and token.mark != "'"):
        reader.refuse(f"{_some(reader.fields)}", token)
    reader.next()
    if token.kind == "quoted":
        return _attribute(reader, token.text, token)
    first, dot, key = token.text.partition(".")
    if not dot:
        return _attribute(reader, first, token)
    kind = _KINDS.get(first.lower())
    if kind is None or (kind != "attribute" and kind not in reader.fields.kinds):
        reader.refuse(_some(reader.fields), token)
    if not key:
        if reader.token.kind != "quoted" or reader.token.mark == "'" or not reader.touches():
            reader.refuse(f"a name right behind '{first}.', in ` or \" if it has other than letters and digits")
        key = reader.next().text
    elif reader.token.kind == "quoted" and reader.touches():
        reader.refuse("a name that is in quotes as a whole, or not at all")
    if not key:
        reader.refuse(f"a name of one character or more behind '{first}.'", token)
    if kind == "attribute":
        return _attribute(reader, key, token)
    if kind == "dataset" and key not in _DATASET:
        reader.refuse(f"one of {', '.join('datasets.' + name for name in _DATASET)}", token)
    return kind, key, "number" if kind == "metric" else "text"


def _attribute(reader: _Reader, name: str, token: _Token) -> tuple[Kind, str, Type]:
    key = reader.fields.aliases.get(name, name)
    holds = reader.fields.attributes.get(key)
    if holds is None:
        reader.refuse(_some(reader.fields), token)
    return "attribute", key, holds


def _some(fields: Fields) -> str:
    prefixes = [f"{_PREFIX[kind]}.NAME" for kind in ("metric", "param", "tag", "dataset") if kind in fields.kinds]
    return f"{', '.join(prefixes)} or an attribute of {fields.noun} ({', '.join(fields.attributes)})"


def _comparator(reader: _Reader) -> Comparator:
    for known in _NUMBER:
        if reader.take(known):
            return known
    word = reader.word()
    for known in ("LIKE", "ILIKE", "IN"):
        if word == known:
            reader.next()
            return known
    if word not in ("NOT", "IS"):
        reader.refuse(f"a comparator: {', '.join((*_NUMBER, *_TEXT[2:], *_NULL))}")
    reader.next()
    if word == "NOT":
        if reader.word() != "IN":
            reader.refuse("IN behind NOT")
        reader.next()
        return "NOT IN"
    negated = reader.word() == "NOT"
    if negated:
        reader.next()
    if reader.word() != "NULL":
        reader.refuse("NULL or NOT NULL behind IS")
    reader.next()
    return "IS NOT NULL" if negated else "IS NULL"


def _text(reader: _Reader) -> str:
    if reader.token.kind != "quoted" or reader.token.mark == "`":
        reader.refuse("text in single or double quotes")
    return reader.next().text


def _list(reader: _Reader) -> tuple[str, ...]:
    if not reader.take("("):
        reader.refuse("a list of texts in parentheses: ('a', 'b')")
    found = [_text(reader)]
    while reader.take(","):
        found.append(_text(reader))
    if not reader.take(")"):
        reader.refuse("',' or ')'")
    return tuple(found)


def _number(reader: _Reader, kind: Kind) -> float:
    """Read a number: a float for metrics; for attributes an int where it is written as one."""
    token = reader.token
    digits = token.text.lstrip("+-")
    plain = token.text.isascii() and len(token.text) <= _MOST_DIGITS and len(token.text) - len(digits) <= 1
    if token.kind != "number" or not plain or "_" in digits:
        reader.refuse("a number, without quotes")
    reader.next()
    try:
        if kind != "metric" and digits.isdigit():
            return int(token.text)
        value = float(token.text)
    except (ValueError, OverflowError):
        reader.refuse("a number", token)
    if not math.isfinite(value):
        reader.refuse("a number of 64 bits", token)
    return value
