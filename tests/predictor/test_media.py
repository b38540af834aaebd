"""Bodies that are one picture or sound: whose field they are the value of, and what is said of the others."""

from __future__ import annotations

from typing import Any

import pytest

from plusone.base.errors import WrongContentType
from plusone.base.records import Field
from plusone.predictor.media import field_of

IMAGE: dict[str, Any] = {"kind": "image", "height": 2, "width": 2}
SOUND: dict[str, Any] = {"kind": "audio", "rate": 8000, "seconds": 0.1}


def field(name: str, media: dict[str, Any] | None = None, *, nullable: bool = False) -> Field:
    return Field(name=name, dtype="float32" if media else "float64", media=media, nullable=nullable)


def test_the_only_field_of_that_kind_is_meant_where_nothing_else_is_needed() -> None:
    fields = [field("note", nullable=True), field("picture", IMAGE)]
    assert field_of(fields, "image/png").name == "picture"


@pytest.mark.parametrize(
    ("fields", "kind", "said"),
    [
        ([field("picture", IMAGE)], "audio/wav", "takes no audio: expected application/json or image/jpeg, image/png."),
        ([field("sound", SOUND)], "image/png", "takes no image: expected application/json or audio/wav."),
        ([field("x")], "image/png", "takes no image: expected application/json."),
        (
            [field("picture", IMAGE), field("x")],
            "image/png",
            "needs 'picture', 'x', and such a body is one value: expected application/json.",
        ),
        ([field("a", IMAGE), field("b", IMAGE)], "image/png", "needs 'a', 'b', and such a body is one value"),
    ],
)
def test_what_else_can_be_sent_is_said(fields: list[Field], kind: str, said: str) -> None:
    with pytest.raises(WrongContentType) as refused:
        field_of(fields, kind)
    assert said in refused.value.message
    assert refused.value.mend.startswith('{"rows": [{')
