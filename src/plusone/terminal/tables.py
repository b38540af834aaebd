"""How the profile of a table looks: a line for each column, with how its values are spread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .output import print_table, shortened

if TYPE_CHECKING:
    from ..profiles.describing import ColumnProfile, TableProfile

__all__ = ["print_profile"]

_BARS = " ▁▂▃▄▅▆▇█"


def print_profile(step: str, profile: TableProfile) -> None:
    """Print a table's profile."""
    facts = [f"{profile.rows:,} rows", f"{len(profile.columns):,} columns"]
    if profile.repeated:
        facts.append(f"{profile.repeated:,} rows repeat an earlier one")
    if profile.key:
        facts.append(f"key {' + '.join(profile.key)}")
    if profile.clock and profile.longest_gap_hours is not None:
        facts.append(f"longest gap in {profile.clock} {_hours(profile.longest_gap_hours)}")
    click.echo(f"{click.style(step, bold=True)}  {', '.join(facts)}")
    headings = ("column", "kind", "missing", "distinct", "spread", "from", "median", "to", "most frequent")
    print_table(headings, [_row(one, profile.rows) for one in profile.columns], right={2, 3, 5, 6, 7})


def _row(one: ColumnProfile, rows: int) -> list[str]:
    missing = "" if not one.missing else f"{100 * one.missing / max(1, rows):.3g} %"
    top = ", ".join(f"{shortened(word, 24)} {_share(count, rows)}" for word, count in list(one.top.items())[:3])
    if one.infinite:
        top = f"{one.infinite:,} infinite"
    return [
        one.name,
        one.kind if one.kind != "any" else shortened(one.type, 24),
        click.style(missing, fg="yellow") if missing else "",
        f"{one.distinct:,}" if one.distinct else "",
        _spread(one.shares),
        _value(one.minimum),
        _value(one.quantiles.get("0.5")),
        _value(one.maximum),
        top,
    ]


def _spread(shares: tuple[float, ...]) -> str:
    """Return shares as bars: nothing as a blank, the largest as a full one."""
    most = max(shares, default=0.0)
    return "".join(_BARS[0 if share <= 0 else max(1, round(share / most * 8))] for share in shares)


def _value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if value.is_integer() and abs(value) < 1e12 else f"{value:.4g}"


def _share(count: int, rows: int) -> str:
    return f"{100 * count / max(1, rows):.3g} %"


def _hours(hours: float) -> str:
    return f"{hours / 24:.3g} days" if hours >= 24 else f"{hours:.2g} hours"
