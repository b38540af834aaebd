"""The SQL of a search of runs: made from conditions and orders, every value bound, for SQLite and PostgreSQL.

Two ways to a page, tried in turn:

- *walk*: take the next few hundred runs in the order that is asked for, then the next few thousand, and keep those
  that fulfil the conditions. Finds a page at once when many runs do.
- *drive*: begin with the condition that the fewest runs fulfil, look up the others, sort what is left. Finds
  everything, and is fast when few runs fulfil that condition. The conditions are counted first, each up to a bound.

A page goes on behind the place of the last run of the page before (`Place`), never by counting runs off: what is added
or taken away meanwhile shifts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

__all__ = ["COLUMNS", "Place", "Search", "find_runs", "get_runs"]

COLUMNS = {
    name: f"r.{name}"
    for name in ("id", "name", "status", "started_at", "finished_at", "by", "experiment", "model", "source")
} | {"artifact_uri": "'mlflow-artifacts:/' || r.experiment || '/' || r.id || '/artifacts'"}
"""What attributes of a run can be asked and sorted by, as SQL."""

_NULLABLE = {"finished_at", "model"}
_TABLES = {"param": "run_setting", "tag": "run_tag", "metric": "run_metric"}
_PREFIX = 300
"""The characters of a text that are in `value`; `rest` has the others. The same as in sql/tracking.sql."""
_WALKS = (400, 4_000)
_DEAR = 1_500  # the longest walk where a lookup costs more: in PostgreSQL
_COUNTED = 20_000
_FOUND = ("=", "IN", ">", ">=", "<", "<=")
_FEW = 500
_VALUE, _NAN, _MISSING = 0, 1, 2
_GLOB = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}
_SQL = {"=": "=", "!=": "<>", ">": ">", ">=": ">=", "<": "<", "<=": "<="}


class Selects(Protocol):
    """A database that runs the queries made here."""

    def select(self, text: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the rows of a query."""
        ...


class Place(NamedTuple):
    """Where a run stands in an order: for each key 0 and its value, 1 for NaN, or 2 where it has none."""

    keys: tuple[tuple[int, Any], ...]
    started_at: str
    number: int


class Search(NamedTuple):
    """What is looked for.

    Attributes:
        conditions: (kind, key, comparator, value) each; of an attribute the key is one of `COLUMNS`. Beside the
            comparators of filters there is OUTSIDE, whose value is a pair: less than the first or at least the second.
        orders: (kind, key, descending) each.
        experiments: ids; None for all.
        deleted: whether to find deleted runs, or the others; None for both.
        after: the place to go on behind.
    """

    conditions: Sequence[tuple[str, str, str, Any]]
    orders: Sequence[tuple[str, str, bool]]
    experiments: Sequence[str] | None
    deleted: bool | None
    after: Place | None
    most: int


def find_runs(db: Selects, search: Search) -> list[Place]:
    """Return the places of up to `most` runs that fulfil every condition, in the order that is asked for.

    Of runs that are equal in it the one that began last comes first.
    """
    if search.experiments is not None and not search.experiments:
        return []
    dialect = getattr(db, "dialect", "sqlite")
    for most in _WALKS:
        query = _Query(search, dialect)
        text = query.walk(max(most if dialect == "sqlite" else min(most, _DEAR), search.most))
        found = db.select(text, query.values)
        if len(found) >= search.most:
            break
    else:
        query = _Query(search, dialect)
        found = db.select(query.drive(_ranked(db, search, dialect)), query.values)
    return [query.place(row) for row in found]


def get_runs(db: Selects, numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Return the rows of the runs with these numbers, in any order: one query for each thousand."""
    found: list[dict[str, Any]] = []
    for begin in range(0, len(numbers), 1000):
        values = {f"p{i}": number for i, number in enumerate(numbers[begin : begin + 1000])}
        found += db.select(f"SELECT * FROM run WHERE number IN ({', '.join(f':{name}' for name in values)})", values)
    return found


def _ranked(db: Selects, search: Search, dialect: str) -> list[int | None]:
    """Return what to begin with: places of lookups, and None for the runs themselves; the fewest runs first."""
    counts: dict[int | None, int] = {}

    def count(place: int | None) -> None:
        query = _Query(search, dialect)
        counts[place] = db.select(query.count(place), query.values)[0]["n"]

    lookups = _lookups(search.conditions)
    indexed = [place for place, one in enumerate(lookups) if one.kind in _TABLES and not one.missing]
    narrow = search.experiments is not None or any(kind == "attribute" for kind, *_ in search.conditions)
    if len(indexed) + narrow < 2:
        return [*indexed] or [None]
    # Those that an index finds are counted first: where one is rare, nothing else matters.
    for place in sorted(indexed, key=lambda place: not any(word in _FOUND for word, _ in lookups[place].comparisons)):
        if min(counts.values(), default=_COUNTED) > _FEW:
            count(place)
    if narrow and min(counts.values(), default=_COUNTED) > _FEW:
        count(None)
    return sorted(counts, key=lambda place: (counts[place], place is not None))


class _Lookup(NamedTuple):
    """What is asked of one row of another table: all comparisons with one metric, setting or tag, or that it lacks."""

    kind: str
    key: str
    comparisons: tuple[tuple[str, Any], ...]
    missing: bool


def _lookups(conditions: Sequence[tuple[str, str, str, Any]]) -> list[_Lookup]:
    """Return the conditions on other tables; those on one metric, setting or tag are one lookup."""
    together: dict[tuple[Any, ...], list[tuple[str, Any]]] = {}
    for place, (kind, key, comparator, value) in enumerate(conditions):
        if kind != "attribute":
            # Each condition on datasets may be met by another one of them.
            apart = place if kind == "dataset" else None
            together.setdefault((kind, key, comparator == "IS NULL", apart), []).append((comparator, value))
    return [
        _Lookup(kind, key, tuple(one for one in found if one[1] is not None), missing)
        for (kind, key, missing, _), found in together.items()
    ]


class _Key(NamedTuple):
    """One key of the order, as SQL. `rank` is empty where every run of the query has the same."""

    rank: str
    value: str
    descending: bool
    is_text: bool


class _Query:
    """One query under way: its text is put together, its values are bound."""

    def __init__(self, search: Search, dialect: str) -> None:
        self._search = search
        self._lookups = _lookups(search.conditions)
        self._is_sqlite = dialect == "sqlite"
        # In PostgreSQL texts sort by language unless told otherwise; in SQLite and in Python by their characters.
        self._plain = "" if self._is_sqlite else ' COLLATE "C"'
        self._joins: list[str] = []
        self._keys: list[_Key] = []
        self.values: dict[str, Any] = {}

    def place(self, row: Mapping[str, Any]) -> Place:
        """Return the place that a row of `walk` or `drive` holds."""
        keys = tuple((row[f"r{i}"], row[f"v{i}"]) for i in range(len(self._search.orders)))
        return Place(keys, row["started_at"], row["number"])

    # ---------------------------------------------------------------------------------------- the three queries

    def walk(self, most: int) -> str:
        """Return the query that looks at the next `most` runs of the order alone."""
        search = self._search
        first = search.orders[0] if search.orders and search.orders[0][0] in _TABLES else None
        rank = search.after.keys[0][0] if search.after and first else _VALUE
        if first and rank != _MISSING:
            candidates = self._walk_values(first, rank, most)
        else:
            candidates = self._walk_runs(first, most)
        where = ["r.number = w.number", *self._of_runs(), *self._others("w.number", None, ())]
        order = [part for i, key in enumerate(self._keys) for part in self._order(f"w.r{i}", f"w.v{i}", key)]
        return (
            f"SELECT w.* FROM ({candidates}) AS w CROSS JOIN run AS r WHERE {' AND '.join(where)}"
            f" ORDER BY {', '.join([*order, 'w.started_at DESC', 'w.number DESC'])} LIMIT {self._bind(search.most)}"
        )

    def drive(self, ranked: Sequence[int | None]) -> str:
        """Return the query that finds everything; `ranked` says which conditions are asked first."""
        begin = ranked[0]
        self._order_by(0, "r.number", "r.started_at")
        if begin is None:
            tables = "run AS r"
            where = [*self._of_runs(), *self._others("r.number", None, ranked)]
        else:
            tables = f"{_TABLES[self._lookups[begin].kind]} AS d CROSS JOIN run AS r"
            where = self._looked_up("d", self._lookups[begin])
            where += [*self._others("d.run", begin, ranked), "r.number = d.run", *self._of_runs()]
        return self._page(tables, where, self._search.most, None, "r.started_at", "r.number", whole=True)

    def count(self, place: int | None) -> str:
        """Return the query that counts, up to a bound, the runs that fulfil one condition, or those on runs."""
        if place is None:
            inner = f"SELECT 1 AS x FROM run AS r WHERE {' AND '.join(self._of_runs())}"
        else:
            where = self._looked_up("d", self._lookups[place])
            inner = f"SELECT 1 AS x FROM {_TABLES[self._lookups[place].kind]} AS d WHERE {' AND '.join(where)}"
        return f"SELECT count(*) AS n FROM ({inner} LIMIT {self._bind(_COUNTED)}) AS t"

    # ---------------------------------------------------------------------------------------- the order

    def _walk_values(self, first: tuple[str, str, bool], rank: int, most: int) -> str:
        """Return the next runs that have the metric, setting or tag of the first key, from its index by value."""
        kind, key, descending = first
        tables = f"{_TABLES[kind]} AS o"
        where = [f"o.key = {self._bind(key)}", f"o.value IS {'NOT ' if rank == _VALUE else ''}NULL"]
        for one in self._lookups:
            if one[:2] == (kind, key) and not one.missing:
                where += self._looked_up("o", one)[1:]
        self._keys.append(_Key("", "o.value", descending, kind != "metric"))
        self._order_by(1, "o.run", "o.started_at")
        if any(kind == "attribute" and key != "started_at" for kind, key, _ in self._search.orders[1:]):
            tables += " CROSS JOIN run AS r"
            where.append("r.number = o.run")
        return self._page(tables, where, most, rank, "o.started_at", "o.run")

    def _walk_runs(self, missing: tuple[str, str, bool] | None, most: int) -> str:
        """Return the next runs by start or by an attribute; where `missing` is given, only those that lack it."""
        where = self._of_runs()
        if missing:
            kind, key, descending = missing
            inner = f"SELECT 1 FROM {_TABLES[kind]} AS o WHERE o.key = {self._bind(key)} AND o.run = r.number"
            where.append(f"NOT EXISTS ({inner})")
            self._keys.append(_Key("", "NULL", descending, False))
        self._order_by(len(self._keys), "r.number", "r.started_at")
        return self._page("run AS r", where, most, _MISSING if missing else None, "r.started_at", "r.number")

    def _order_by(self, begin: int, number: str, started_at: str) -> None:
        """Make the keys of the order from `begin` on, and join what they are in."""
        for place, (kind, key, descending) in enumerate(self._search.orders[begin:], begin):
            if kind in _TABLES:
                table = f"e{place}"
                on = f"{table}.key = {self._bind(key)} AND {table}.run = {number}"
                self._joins.append(f"LEFT JOIN {_TABLES[kind]} AS {table} ON {on}")
                rank = f"CASE WHEN {table}.run IS NULL THEN 2 WHEN {table}.value IS NULL THEN 1 ELSE 0 END"
                self._keys.append(_Key(rank, f"{table}.value", descending, kind != "metric"))
            else:
                column = started_at if key == "started_at" else COLUMNS[key]
                rank = f"CASE WHEN {column} IS NULL THEN 2 ELSE 0 END" if key in _NULLABLE else ""
                self._keys.append(_Key(rank, column, descending, key != "started_at"))

    def _page(
        self,
        tables: str,
        where: list[str],
        most: int,
        rank: int | None,
        started_at: str,
        number: str,
        *,
        whole: bool = False,
    ) -> str:
        """Return the query of the next `most` in the order; `rank` is what all of them have of the first key.

        With `whole` everything is found before it is sorted.
        """
        columns = [f"{started_at} AS started_at", f"{number} AS number"]
        order: list[str] = []
        for i, key in enumerate(self._keys):
            known = rank if i == 0 and rank is not None else _VALUE
            columns += [f"{key.rank or known} AS r{i}", f"{key.value} AS v{i}"]
            if key.value != "NULL":
                order += self._order(key.rank, key.value, key)
        where = [*where, *self._behind(rank, started_at, number)]
        order += [f"{started_at} DESC", f"{number} DESC"]
        tables = " ".join([tables, *self._joins])
        text = f"SELECT {', '.join(columns)} FROM {tables} WHERE {' AND '.join(where or ['1 = 1'])}"
        if whole and not self._is_sqlite:
            # For the few that a page takes PostgreSQL would walk the order to its end, looking up every run.
            text = f"WITH f AS MATERIALIZED ({text}) SELECT * FROM f"
            order = [part for i, key in enumerate(self._keys) for part in self._order(f"r{i}", f"v{i}", key)]
            order += ["started_at DESC", "number DESC"]
        return f"{text} ORDER BY {', '.join(order)} LIMIT {self._bind(most)}"

    def _order(self, rank: str, value: str, key: _Key) -> list[str]:
        way = "DESC" if key.descending else "ASC"
        return [*([rank] if key.rank else []), f"{value}{self._plain if key.is_text else ''} {way}"]

    def _behind(self, rank: int | None, started_at: str, number: str) -> list[str]:
        """Return what holds for runs behind the place that the page begins at."""
        after = self._search.after
        if after is None:
            return []
        found = f"({started_at}, {number}) < ({self._bind(after.started_at)}, {self._bind(after.number)})"
        bound: list[str] = []
        for i, key in reversed(list(enumerate(self._keys))):
            its_rank, its_value = after.keys[i]
            if i == 0 and rank is not None and rank != _VALUE:
                continue  # none of them has a value: they are equal in this key
            value = f"{key.value}{self._plain if key.is_text else ''}"
            if its_rank == _VALUE:
                way, at = "<" if key.descending else ">", self._bind(its_value)
                beyond, equal = f"{value} {way} {at}", f"{value} = {at}"
                if key.rank:
                    beyond = f"({key.rank} > {_VALUE} OR {beyond})"
                elif i == 0:
                    bound = [f"{value} {way}= {at}"]  # says no more, but an index finds it
            else:
                beyond, equal = f"{key.rank or _VALUE} > {its_rank}", f"{key.rank or _VALUE} = {its_rank}"
            found = f"({beyond} OR ({equal} AND {found}))"
        return [*bound, found]

    # ---------------------------------------------------------------------------------------- the conditions

    def _of_runs(self) -> list[str]:
        """Return the conditions on the runs' own row."""
        search = self._search
        where = [] if search.deleted is None else [f"r.deleted_at IS {'NOT ' if search.deleted else ''}NULL"]
        if search.experiments is not None:
            where.append(self._texts("r.experiment", "IN", search.experiments))
        for kind, key, comparator, value in search.conditions:
            if kind == "attribute":
                # SQLite has an index by model that would make it read every run of the model, whole: + keeps it away.
                keep_away = "+" if key == "model" and self._is_sqlite else ""
                where.append(self._texts(keep_away + COLUMNS[key], comparator, value))
        return where or ["1 = 1"]

    def _others(self, number: str, skip: int | None, ranked: Sequence[int | None]) -> list[str]:
        """Return the conditions on other tables, in the order of `ranked`, without the one that is skipped."""
        places = [place for place in ranked if place is not None]
        places += [place for place in range(len(self._lookups)) if place not in places]
        where: list[str] = []
        for one in [self._lookups[place] for place in places if place != skip]:
            if one.kind == "dataset":
                ((comparator, value),) = one.comparisons
                table = "run_input"
                inner = ["c.run_id = r.id", self._texts(self._dataset(one.key), comparator, value)]
            else:
                table = _TABLES[one.kind]
                inner = [f"c.run = {number}", *self._looked_up("c", one)]
            negated = "NOT " if one.missing else ""
            where.append(f"{negated}EXISTS (SELECT 1 FROM {table} AS c WHERE {' AND '.join(inner)})")
        return where

    def _looked_up(self, table: str, one: _Lookup) -> list[str]:
        """Return what holds for the row of an index table that a lookup is about."""
        where = [f"{table}.key = {self._bind(one.key)}"]
        return where + [self._compared(table, one.kind, comparator, value) for comparator, value in one.comparisons]

    def _dataset(self, key: str) -> str:
        if key != "context":
            return f"c.{key}"
        if self._is_sqlite:
            return "json_extract(c.tags, '$.\"mlflow.data.context\"')"
        return "(CAST(c.tags AS json) ->> 'mlflow.data.context')"

    def _compared(self, table: str, kind: str, comparator: str, value: Any) -> str:
        """Return the comparison with the value in a row of an index table."""
        if kind == "metric":
            return f"{table}.value {_SQL[comparator]} {self._bind(value)}"
        if comparator in ("LIKE", "ILIKE"):
            return self._texts(f"({table}.value || {table}.rest)", comparator, value)
        texts: tuple[str, ...] = value if isinstance(value, tuple) else (value,)
        short = tuple(text for text in texts if len(text) < _PREFIX)
        equal = [f"{table}.value IN ({', '.join(map(self._bind, short))})"] if short else []
        for text in texts:
            if len(text) >= _PREFIX:
                parts = self._bind(text[:_PREFIX]), self._bind(text[_PREFIX:])
                equal.append(f"({table}.value = {parts[0]} AND {table}.rest = {parts[1]})")
        negated = "NOT " if comparator in ("!=", "NOT IN") else ""
        return f"{negated}({' OR '.join(equal)})"

    def _texts(self, column: str, comparator: str, value: Any) -> str:
        """Return the comparison of a text with one or more; what is NULL fulfils none."""
        if comparator == "OUTSIDE":
            column += self._plain
            return f"({column} < {self._bind(value[0])} OR {column} >= {self._bind(value[1])})"
        if comparator in ("IN", "NOT IN"):
            if not value:
                return "1 = 0" if comparator == "IN" else f"{column} IS NOT NULL"
            return f"{column} {comparator} ({', '.join(map(self._bind, value))})"
        if comparator not in ("LIKE", "ILIKE"):
            plain = self._plain if comparator not in ("=", "!=") else ""
            return f"{column}{plain} {_SQL[comparator]} {self._bind(value)}"
        if not self._is_sqlite:
            return f"{column}{self._plain} {comparator} {self._bind(value)} ESCAPE ''"
        if comparator == "ILIKE":  # SQLite's LIKE ignores the case of A to Z; GLOB does not, and has other wild cards
            return f"{column} LIKE {self._bind(value)}"
        return f"{column} GLOB {self._bind(''.join(_GLOB.get(char, char) for char in str(value)))}"

    def _bind(self, value: Any) -> str:
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f":{name}"
