"""Any series is a picture that a browser reads, whatever its names and numbers are."""

from __future__ import annotations

import contextlib
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from plusone.app.views import Curve
from plusone.base.records import as_number
from plusone.terminal.curves import draw

SVG = "{http://www.w3.org/2000/svg}"


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.text(max_size=8), st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.floats()), max_size=6)),
        max_size=3,
    )
)
def test_any_curves_are_a_picture(curves: list[tuple[str, list[tuple[int, float]]]]) -> None:
    made = [
        Curve(
            key=key,
            steps=tuple(step for step, _ in points),
            values=tuple(as_number(value) for _, value in points),
            times=tuple(0.0 for _ in points),
        )
        for key, points in curves
    ]
    with contextlib.suppress(UnicodeEncodeError):
        picture = ET.fromstring(draw(made).encode())  # noqa: S314 - what we drew ourselves
        for line in picture.findall(f"{SVG}polyline"):
            assert "nan" not in line.attrib["points"]
            assert "inf" not in line.attrib["points"]
