"""The package of a release on its report: what it takes and answers, how it was proven, who signed it, its lock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..base.records import Field, Output
from ..labels.several import singles
from .html import Markup, Room, element, fold, join, table
from .material import Material
from .numbers import moment, number, size, value

__all__ = ["package_section"]

_MOST = 300
_LOCK = 60_000


def package_section(material: Material, room: Room) -> Markup:
    """Return the model, its fields, its proof, its files, its lock and its signatures."""
    package = material.package
    facts = [
        ("model", package.trained or "-"),
        (
            "packaged as",
            f"{package.format} {value(package.options['precision']) if 'precision' in package.options else ''}",
        ),
        ("answers", f"{package.signature.output.name}: {_answered(package.signature.output)}"),
        *_proof(package.proof),
        *(("setting " + key, value(found)) for key, found in list(material.release.settings.items())[:100]),
        *(
            ("metric " + key, "NaN" if found is None else number(found))
            for key, found in list(material.release.metrics.items())[:100]
        ),
    ]
    pairs = [element("div", element("dt", key), element("dd", found)) for key, found in facts]
    fields = package.signature.fields[:_MOST]
    head = ("field", "type", "may be empty", "in training", "example")
    rows = [(f.name, _type(f), "yes" if f.nullable else "no", _seen(f), _example(f)) for f in fields]
    files = [(file.path, size(file.size_bytes), element("code", file.digest)) for file in package.files[:_MOST]]
    return join(
        [
            element("dl", *pairs, class_="facts"),
            table(head, rows, caption="What a request carries", class_="fields"),
            _signed(material),
            fold(
                f"Environment lock: {len(material.lock)} packages",
                element("pre", room.clip("\n".join(material.lock), _LOCK)),
            ),
            fold(
                f"Files of the package: {len(package.files)}", table(("file", "size", "sha256"), files, caption="Files")
            ),
            element("p", f"From package {material.release.package}.", class_="source"),
        ]
    )


def _proof(proof: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not proof:
        return
    largest, allowed = value(proof.get("max_difference", 0)), value(proof.get("tolerance", 0))
    rows = value(proof.get("rows", 0))
    yield "proven equal to the trained model", f"on {rows} rows: largest difference {largest}, allowed {allowed}"
    edges = proof.get("edges")
    if isinstance(edges, dict) and edges.get("rows"):
        said = f"{value(edges.get('differ'))} differ" if edges.get("differ") else "equal"
        yield "proven at edges", f"{value(edges['rows'])} rows beside thresholds and at ends of ranges: {said}"
    quantised = proof.get("quantised")
    if isinstance(quantised, dict):
        kept = quantised.get("kept")
        yield "8 bits", "kept" if kept else f"left out: {value(quantised.get('reason'))}"


def _signed(material: Material) -> Markup:
    if not material.signatures:
        return element("p", "Nobody signed it.", class_="quiet")
    some = (
        element("li", f"Signed by {one.by} on {moment(one.at)} with ", element("code", one.key))
        for one in material.signatures
    )
    return element("ul", *some)


def _type(field: Field) -> str:
    return field.dtype if field.shape is None else f"{field.dtype} {list(field.shape)}"


def _example(field: Field) -> str:
    return "-" if field.example is None or field.shape is not None else value(field.example)


def _seen(field: Field) -> str:
    if field.minimum is not None and field.maximum is not None:
        return f"{number(field.minimum)} to {number(field.maximum)}"
    if field.categories is None:
        return "any text" if field.dtype == "string" else "-"
    some = ", ".join(one[:30] for one in field.categories[:4]) + (", \u2026" if len(field.categories) > 4 else "")
    others = "accepted" if field.unseen == "accept" else "refused"
    return f"{len(field.categories)} values ({some}); others {others}"


def _answered(output: Output) -> str:
    if output.kind == "ranking":
        return f"the best {output.width} of {len(output.classes):,} items"
    if output.kind == "labels":
        return "; ".join(f"{one.name}: {value(list(one.classes))}" for one in singles(output))
    if output.kind == "vector":
        return value(list(output.names)) if output.names else f"{output.width} numbers"
    return value(list(output.classes)) if output.classes else "a number"
