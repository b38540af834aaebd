"""A server that takes only signed releases: at a swap, at a start, for what is warm, and when keys change."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from plusone.base.ids import canonical_json, digest_bytes
from plusone.base.records import RouteTarget
from plusone.base.trusted import ReleaseSignature
from plusone.hosting.swap import Models
from plusone.trust.keys import PrivateKey, make_key
from plusone.trust.signing import FOLDER, SignedBy, sign, write_signed
from plusone.workers import routes
from tests.serving.serving_folder import BODY, ServingFolder, ask, until


@pytest.fixture
def key(tmp_path: Path) -> PrivateKey:
    return make_key(tmp_path / "key.pem")


def _models(serving: ServingFolder, *keys: PrivateKey) -> Models:
    return Models(serving.path, lambda *_, **__: None, lambda: None, signed_by=tuple(key.public for key in keys))


def _target(serving: ServingFolder, number: int, share: float = 1.0, *, run: str = "r") -> RouteTarget:
    """Return the target of a release whose manifest names its package, and lay that manifest down unsigned."""
    target = serving.target(number, share)
    manifest = canonical_json({"model": "m", "package": target.package, "run": f"{run}{number}"})
    digest = digest_bytes(manifest)
    write_signed(serving.path, digest, manifest, [])
    return RouteTarget(
        release=number, digest=digest, package=target.package, folder=target.folder, share=share, stage=target.stage
    )


def _sign(serving: ServingFolder, target: RouteTarget, *keys: PrivateKey) -> None:
    manifest = canonical_json({"model": "m", "package": target.package, "run": f"r{target.release}"})
    records = [
        ReleaseSignature(
            model="m", release=target.release, digest=target.digest, key=key.public,
            signature=sign(key, "m", target.release, target.digest), by="ann", at="2026",
        )
        for key in keys
    ]  # fmt: skip
    write_signed(serving.path, target.digest, manifest, records)


def test_an_unsigned_release_takes_no_traffic_and_one_that_is_signed_does(serving: ServingFolder, key: PrivateKey):
    models = _models(serving, key)
    one, two = _target(serving, 1), _target(serving, 2)
    _sign(serving, one, key)
    serving.publish(1, one)
    models.look()
    assert models.table.versions == {"m": 1}
    serving.publish(2, two)
    models.look()
    assert models.table.versions == {"m": 1}
    assert models.table.failed["m"]["error"].startswith("m@2 is not signed: this server takes only releases")
    _sign(serving, two, key)
    serving.publish(3, two)
    models.look()
    assert (models.table.versions, models.table.failed) == ({"m": 3}, {})


def test_a_rollback_to_an_older_signed_release_is_legitimate(serving: ServingFolder, key: PrivateKey):
    models = _models(serving, key)
    one, two = _target(serving, 1), _target(serving, 2)
    for target in (one, two):
        _sign(serving, target, key)
    for version, target in ((1, one), (2, two), (3, one)):
        serving.publish(version, target)
        models.look()
        assert models.table.versions == {"m": version}


def test_a_second_release_of_the_same_package_needs_a_signature_of_its_own(serving: ServingFolder, key: PrivateKey):
    models = _models(serving, key)
    one = _target(serving, 1)
    _sign(serving, one, key)
    serving.publish(1, one)
    models.look()
    again = _target(serving, 1, run="other")
    serving.publish(2, again)
    models.look()
    assert models.table.versions == {"m": 1}
    assert "m@1 is not signed" in models.table.failed["m"]["error"]


def test_an_unsigned_release_is_not_even_kept_warm(serving: ServingFolder, key: PrivateKey):
    models = _models(serving, key)
    one, two = _target(serving, 1, 0.0), _target(serving, 2)
    _sign(serving, two, key)
    serving.publish(1, two, one)
    models.look()
    assert [target.release for target in models.table.entries["m"].held] == [2]
    assert models._loaded.keys() == {two.package}


def test_what_was_served_last_is_asked_for_its_signature_as_well(serving: ServingFolder, key: PrivateKey):
    one, two = _target(serving, 1), _target(serving, 2)
    serving.publish(1, one)
    before = _models(serving)  # a server that takes all
    before.look()
    assert before.table.versions == {"m": 1}
    serving.publish(2, two)
    starting = _models(serving, key)
    starting.look()
    assert starting.table.entries == {}
    assert "m@2 is not signed" in starting.table.unready()


def test_keys_are_changed_by_signing_with_both_for_a_while(serving: ServingFolder, key: PrivateKey, tmp_path: Path):
    new = make_key(tmp_path / "new.pem")
    one = _target(serving, 1)
    _sign(serving, one, key, new)
    serving.publish(1, one)
    for keys in ((key,), (key, new), (new,)):
        models = _models(serving, *keys)
        models.look()
        assert models.table.versions == {"m": 1}
    _sign(serving, one, key)
    models = _models(serving, new)
    models.look()
    assert f"m@1 is signed by {key.public}" in models.table.unready()


def test_bytes_that_were_changed_are_refused_though_the_release_is_signed(serving: ServingFolder, key: PrivateKey):
    models = _models(serving, key)
    one = _target(serving, 1)
    _sign(serving, one, key)
    (serving.path / one.folder / "environment.txt").write_bytes(b"other")
    serving.publish(1, one)
    models.look()
    assert "environment.txt was changed" in models.table.failed["m"]["error"]


def test_a_route_that_gives_signed_bytes_another_number_is_refused(serving: ServingFolder, key: PrivateKey):
    models = _models(serving, key)
    one = _target(serving, 1)
    _sign(serving, one, key)
    forged = RouteTarget(release=7, digest=one.digest, package=one.package, folder=one.folder, share=1.0)
    serving.publish(1, forged)
    models.look()
    assert models.table.entries == {}
    serving.publish(2, one, model="other")
    models.look()
    assert models.table.entries == {}


def test_what_it_costs_at_a_load(serving: ServingFolder, key: PrivateKey):
    one = _target(serving, 1)
    _sign(serving, one, key)
    asked = ("m", one.release, one.digest, one.package)
    SignedBy(serving.path, [key.public]).refusal(*asked)  # the first one loads the library
    began = time.perf_counter()
    for _ in range(20):
        assert SignedBy(serving.path, [key.public]).refusal(*asked) == ""
    assert (time.perf_counter() - began) / 20 < 0.1, "it is some 0.3 ms where nothing else runs"


@pytest.mark.slow
def test_a_real_worker_asks_for_signatures(serving: ServingFolder, key: PrivateKey):
    one, two = _target(serving, 1), _target(serving, 2)
    _sign(serving, one, key)
    serving.publish(1, one)
    running = serving.start(workers=1, signed_by=(key.public,))
    assert ask(running.port, "POST", "/models/m/predict", BODY)[0] == 200
    serving.publish(2, two)
    until(lambda: any(report.failed for report in running.reports()), "it is refused", poll=running.poll)
    assert "m@2 is not signed" in running.reports()[0].failed["m"]["error"]
    assert ask(running.port, "POST", "/models/m/predict", BODY)[0] == 200
    assert routes.read_good(serving.path).models["m"].version == 1
    assert (serving.path / FOLDER).is_dir()
