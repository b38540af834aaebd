"""Addresses of the Open Inference Protocol: what each asks for, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.errors import MethodNotAllowed, NotFound
from plusone.protocols.addresses import Address, read_address


@pytest.mark.parametrize(
    ("method", "path", "address"),
    [
        ("GET", "/v2", Address("server")),
        ("GET", "/v2/", Address("server")),
        ("HEAD", "/v2/health/live", Address("live")),
        ("GET", "/v2/health/ready", Address("ready")),
        ("POST", "/v2/repository/index", Address("index")),
        ("GET", "/v2/models/stats", Address("all-stats")),
        ("GET", "/v2/models/m", Address("model", "m")),
        ("GET", "/v2/models/m/versions/3", Address("model", "m", "3")),
        ("GET", "/v2/models/m/ready", Address("model-ready", "m")),
        ("GET", "/v2/models/m/versions/3/ready", Address("model-ready", "m", "3")),
        ("GET", "/v2/models/m/config", Address("config", "m")),
        ("GET", "/v2/models/m/versions/x/stats", Address("stats", "m", "x")),
        ("POST", "/v2/models/m/infer", Address("infer", "m")),
        ("POST", "/v2/models/ready/versions/3/infer", Address("infer", "ready", "3")),
        ("POST", "/v2/models/stats/infer", Address("infer", "stats")),
    ],
)
def test_each_address(method: str, path: str, address: Address) -> None:
    assert read_address(method, path) == address


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "/v1",
        "/v22",
        "/v2//models/m",
        "/v2/models",
        "/v2/models/",
        "/v2/models//infer",
        "/v2/models/m/versions",
        "/v2/models/m/versions//infer",
        "/v2/models/m/versions/3/infer/more",
        "/v2/models/m/generate",
        "/v2/repository/models/m/load",
        "/models/m",
    ],
)
def test_what_is_no_address(path: str) -> None:
    with pytest.raises(NotFound, match="There is nothing at"):
        read_address("GET", path)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v2/models/m/infer", "POST"),
        ("POST", "/v2/models/m", "GET, HEAD"),
        ("GET", "/v2/repository/index", "POST"),
        ("", "/v2", "GET, HEAD"),
        (",", "/v2", "GET, HEAD"),
    ],
)
def test_another_method(method: str, path: str, allowed: str) -> None:
    with pytest.raises(MethodNotAllowed, match=f"expected {allowed}") as caught:
        read_address(method, path)
    assert caught.value.details == {"allowed": allowed}


@given(st.lists(st.sampled_from(["v2", "models", "m", "versions", "1", "infer", "ready", "", "é"])).map("/".join))
def test_no_path_is_more_than_not_found(path: str) -> None:
    try:
        address = read_address("GET", path)
    except (NotFound, MethodNotAllowed):
        return
    assert address.what
