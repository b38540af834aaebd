"""The route file and the packages beside it, made from the store: what is damaged is left out, what is served stays."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from plusone.base.errors import StoreError
from plusone.base.plans import parse_plan
from plusone.base.records import Package, Release, RouteFile
from plusone.base.rollouts import Look
from plusone.control.publishing import Publisher
from plusone.release import lifecycle, rollout
from plusone.release.events import newest_rollout
from plusone.trust.keys import make_key
from plusone.trust.published import read_trusted
from plusone.trust.records import add_signature, trust, withdraw
from plusone.trust.signing import FOLDER, Signed, sign
from plusone.workers import routes
from tests.release.written import Written, asking_package


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    project = Written(tmp_path / "p")
    yield project
    project.close()


@pytest.fixture
def publisher(written: Written) -> Publisher:
    return Publisher(written.store, written.store.folder / "serving")


def _read(publisher: Publisher) -> RouteFile:
    found = routes.read(publisher.folder)
    assert found is not None
    return found


def _live(publisher: Publisher, model: str = "m") -> int:
    return next(target.release for target in _read(publisher).models[model].targets if target.share == 1.0)


def _damage(written: Written, release: Release) -> None:
    blob = written.store.blobs.path(release.package)
    blob.chmod(0o644)
    blob.write_bytes(b"x")


def test_it_names_what_is_live_and_keeps_the_previous_one_warm(written: Written, publisher: Publisher):
    written.release(live=True)
    two = written.release(live=True)
    assert publisher.publish() == []
    model = _read(publisher).models["m"]
    assert [(target.release, target.share) for target in model.targets] == [(2, 1.0), (1, 0.0)]
    assert (publisher.folder / "packages" / two.package / "manifest.json").is_file()


def test_nothing_is_written_when_no_route_has_changed(written: Written, publisher: Publisher):
    written.release(live=True)
    publisher.publish()
    before = _read(publisher)
    written.release()
    publisher.publish()
    assert _read(publisher) == before
    written.promote(written.release())
    publisher.publish()
    assert _read(publisher).sequence == before.sequence + 1


def test_a_model_whose_live_release_is_damaged_stays_on_what_it_has_and_others_move_on(
    written: Written, publisher: Publisher
):
    written.release("m", live=True)
    written.release("n", live=True)
    publisher.publish()
    for place in (publisher.folder / "packages").iterdir():
        shutil.rmtree(place)
    _damage(written, written.release("m", live=True))
    written.release("n", live=True)
    [(model, version, error)] = publisher.publish()
    assert (model, version) == ("m", 2)
    assert "was changed" in error
    assert (_live(publisher, "m"), _live(publisher, "n")) == (1, 2)
    lifecycle.take_back(written.store, "m", 2, error=error)
    assert publisher.publish() == []
    assert _read(publisher).models["m"].version == 3
    assert _live(publisher, "m") == 1


def test_a_damaged_previous_release_does_not_keep_the_live_one_from_being_served(
    written: Written, publisher: Publisher
):
    one = written.release("m", live=True)
    written.release("m", live=True)
    _damage(written, one)
    assert publisher.publish() == []
    assert [target.release for target in _read(publisher).models["m"].targets] == [2]


def test_a_damaged_route_file_is_written_anew(written: Written, publisher: Publisher):
    written.release(live=True)
    publisher.publish()
    for data in (b"", b"{", b"\x00" * 100, b'{"sequence": "x"}'):
        (publisher.folder / "route.json").write_bytes(data)
        publisher.publish()
        assert _live(publisher) == 1


def test_a_laid_out_package_that_was_changed_is_laid_out_anew(written: Written, publisher: Publisher):
    one = written.release(live=True)
    publisher.publish()
    place = publisher.folder / "packages" / one.package / "model.onnx"
    place.unlink()
    place.write_bytes(b"something else")
    written.release(live=True)
    publisher.publish()
    assert place.read_bytes() == f"not a model, but bytes of m from {one.run_id}".encode()


def test_a_model_that_the_store_does_not_know_keeps_its_traffic(written: Written, publisher: Publisher, tmp_path: Path):
    written.release("m", live=True)
    publisher.publish()
    other = Written(tmp_path / "other")
    try:
        other.release("n", live=True)
        elsewhere = Publisher(other.store, publisher.folder)
        assert elsewhere.publish() == []
        assert (_live(publisher, "m"), _live(publisher, "n")) == (1, 1)
        sequence = _read(publisher).sequence
        assert elsewhere.publish() == []
        assert _read(publisher).sequence == sequence, "it is not written again and again"
    finally:
        other.close()


def test_what_was_served_last_is_not_tidied_away(written: Written, publisher: Publisher):
    one = written.release(live=True)
    publisher.publish()
    routes.write_good(publisher.folder, _read(publisher).models)
    for _ in range(3):
        written.release(live=True)
        publisher.publish()
    assert (publisher.folder / "packages" / one.package / "manifest.json").exists()


def test_damaged_files_are_laid_out_anew_and_the_workers_told(written: Written, publisher: Publisher):
    one = written.release(live=True)
    publisher.publish()
    sequence = _read(publisher).sequence
    assert publisher.repair("m", 1) == 0, "nothing is damaged"
    manifest = publisher.folder / "packages" / one.package / "manifest.json"
    manifest.unlink()  # another name of the blob: what is written to it is written to the blob
    manifest.write_bytes(b"x")
    assert publisher.repair("m", 2) == 0, "another version is none of its business"
    assert publisher.repair("m", 1) == sequence + 1 == _read(publisher).sequence
    assert manifest.read_bytes() == written.store.blobs.get(one.package)
    manifest.unlink()
    _damage(written, one)
    assert publisher.repair("m", 1) == 0, "the blob is damaged as well"


def test_a_rollout_is_published_with_stages_shares_and_the_shadow(written: Written, publisher: Publisher):
    written.release(live=True)
    written.release(live=True)
    three = written.release()
    plan = parse_plan(["shadow 50% 1s", "5% 1s"], "the plan")
    rollout.begin(written.store, "m@3", plan, by="x")
    assert publisher.publish() == []
    targets = _read(publisher).models["m"].targets
    assert [(one.release, one.stage, one.share, one.shadow) for one in targets] == [
        (2, "live", 1.0, 0.0),
        (3, "shadow", 0.0, 0.5),
        (1, "previous", 0.0, 0.0),
    ]
    assert (publisher.folder / "packages" / three.package / "manifest.json").is_file()
    _advance(written)
    publisher.publish()
    targets = _read(publisher).models["m"].targets
    assert [(one.release, one.stage, one.share, one.shadow) for one in targets] == [
        (2, "live", 0.95, 0.0),
        (3, "canary", 0.05, 0.0),
        (1, "previous", 0.0, 0.0),
    ]


@pytest.mark.parametrize("plan", [["shadow 1s"], ["5% 1s"]])
def test_a_candidate_that_is_damaged_ends_its_rollout_and_the_live_release_goes_on(
    written: Written, publisher: Publisher, plan: list[str]
):
    written.release(live=True)
    publisher.publish()
    _damage(written, written.release())
    rollout.begin(written.store, "m@2", parse_plan(plan, "the plan"), by="x")
    [(model, version, error)] = publisher.publish()
    assert (model, version) == ("m", 2)
    lifecycle.take_back(written.store, model, version, error=error)
    assert publisher.publish() == []
    assert _live(publisher) == 1
    assert written.stages() == {1: "live", 2: "rolled back"}


def _advance(written: Written) -> None:
    now = newest_rollout(written.store.db, "m")
    assert now is not None
    rollout.record(written.store, now, Look(seq=0, at="", step=1, action="go on"), "", "advance")


def test_workers_are_told_what_is_trusted_before_the_route_that_needs_it(written: Written, publisher: Publisher):
    manifest = asking_package("m", "os.system")
    written.release(live=True)
    release = written.release(package=written.store.blobs.put_bytes(manifest))
    publisher.publish()
    assert read_trusted(publisher.folder) == frozenset()
    package = msgspec.json.decode(manifest, type=Package)
    trust(written.store, release, package, digest=release.package, by="ann", reason="mine")
    sequence = _read(publisher).sequence
    publisher.publish()
    assert read_trusted(publisher.folder) == {release.package}
    assert _read(publisher).sequence == sequence, "the route is the same"
    withdraw(written.store, release.package, by="ann", reason="not mine")
    publisher.publish()
    assert read_trusted(publisher.folder) == frozenset()


def test_signatures_are_laid_beside_the_packages_that_a_route_names(
    written: Written, publisher: Publisher, tmp_path: Path
):
    key = make_key(tmp_path / "key.pem")

    def signed(release: Release) -> Path:
        text = sign(key, "m", release.number, release.digest)
        add_signature(written.store, release, key=key.public, signature=text, by="ann")
        return publisher.folder / FOLDER / f"{release.digest}.json"

    one = written.release(live=True)
    publisher.publish()
    assert not (publisher.folder / FOLDER).exists()
    file = signed(one)
    publisher.publish()
    found = msgspec.json.decode(file.read_bytes(), type=Signed)
    assert found.manifest.encode() == written.store.blobs.get(one.digest)
    assert [record.key for record in found.signatures] == [key.public]
    two = written.release()
    second = signed(two)
    publisher.publish()
    assert not second.exists(), "no route names it yet"
    written.promote(two)
    publisher.publish()
    assert second.exists()
    for _ in range(3):
        written.promote(written.release())
        publisher.publish()
    assert not file.exists(), "what no route needs is tidied away"


def test_a_disk_that_is_full_takes_nothing_away(
    written: Written, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
):
    written.release(live=True)
    publisher.publish()
    written.release(live=True)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("plusone.control.publishing.write_trusted", full)
    with pytest.raises(StoreError, match="No space left"):
        publisher.publish()
    assert _live(publisher) == 1
