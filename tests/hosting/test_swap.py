from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plusone.base.records import ModelRoute, RouteFile, RouteTarget
from plusone.hosting.swap import Models
from plusone.hosting.table import Entry, Target
from plusone.workers import routes
from tests.serving.serving_folder import BODY, ServingFolder


@pytest.fixture
def models(serving: ServingFolder) -> Models:
    return Models(serving.path, lambda *_, **__: None, lambda: None)


def _answer(models: Models) -> list[float]:
    predictor = models.table.entries["m"].choose("id").predictor
    return [round(float(number), 6) for number in predictor.predictions(predictor.run(predictor.decode(BODY)))]


def test_a_swap_and_a_rollback_that_loads_nothing(serving: ServingFolder, models: Models):
    assert models.table.unready()
    serving.route(1, live=1)
    assert models.look()
    assert not models.look()
    before = models.table.entries["m"].live.predictor
    serving.route(2, live=2, warm=1)
    models.look()
    assert _answer(models) == [2.0]
    for digest, _ in serving.packages.values():  # what is in memory needs no file
        (serving.path / "packages" / digest / "model.onnx").unlink()
    serving.route(3, live=1, warm=2)
    models.look()
    assert _answer(models) == [1.0]
    assert models.table.entries["m"].live.predictor is before
    assert models.table.versions == {"m": 3}


def test_what_no_route_needs_is_dropped(serving: ServingFolder, models: Models):
    serving.route(1, live=1)
    models.look()
    serving.route(2, live=2, warm=1)
    models.look()
    serving.route(3, live=3, warm=2)
    models.look()
    assert models._loaded.keys() == {serving.packages[2][0], serving.packages[3][0]}
    routes.publish(serving.path, RouteFile(sequence=4))
    models.look()
    assert not models._loaded
    assert "names none" in models.table.unready()


def test_a_package_that_is_broken_leaves_the_old_version_and_is_tried_again_when_the_file_changes(
    serving: ServingFolder, models: Models
):
    serving.route(1, live=1)
    models.look()
    manifest = serving.path / "packages" / serving.packages[2][0] / "manifest.json"
    whole = manifest.read_bytes()
    manifest.write_bytes(whole.replace(b"onnx", b"xnno"))
    serving.route(2, live=2, warm=1)
    models.look()
    assert models.table.versions == {"m": 1}
    assert models.table.failed["m"]["version"] == 2
    assert "manifest.json" in models.table.failed["m"]["error"]
    assert _answer(models) == [1.0]
    manifest.write_bytes(whole)
    assert not models.look()
    serving.route(3, live=2, warm=1)
    models.look()
    assert (models.table.versions, models.table.failed, _answer(models)) == ({"m": 3}, {}, [2.0])


def test_a_warm_release_that_is_broken_does_not_keep_the_new_one_back(serving: ServingFolder, models: Models):
    (serving.path / "packages" / serving.packages[1][0] / "model.onnx").write_bytes(b"")
    serving.route(2, live=2, warm=1)
    models.look()
    assert (models.table.versions, models.table.failed) == ({"m": 2}, {})


@pytest.mark.parametrize("folder", ["../../etc", "/etc", "packages/none"])
def test_folders_outside_and_missing_ones_are_refused(serving: ServingFolder, models: Models, folder: str):
    target = RouteTarget(release=1, digest="d", package="p", folder=folder, share=1.0)
    routes.publish(serving.path, RouteFile(sequence=1, models={"m": ModelRoute(version=1, targets=(target,))}))
    models.look()
    assert folder.rpartition("/")[2] in models.table.failed["m"]["error"]
    assert "m, route version 1" in models.table.unready()


def test_a_route_file_that_is_damaged_or_gone_changes_nothing(serving: ServingFolder, models: Models):
    serving.route(1, live=1)
    models.look()
    (serving.path / routes.ROUTE_FILE).write_bytes(b'{"sequence":')
    models.look()
    assert models.table.versions == {"m": 1}
    assert "no route file" in models.table.problem
    (serving.path / routes.ROUTE_FILE).unlink()
    models.look()
    assert models.table.versions == {"m": 1}
    serving.route(2, live=2)
    models.look()
    assert (models.table.versions, models.table.problem) == ({"m": 2}, "")


def test_shares_are_met():
    predictor: Any = None
    targets = [
        RouteTarget(release=n, digest="d", package="p", folder="f", share=share)
        for n, share in ((1, 0.9), (2, 0.1), (3, 0.0))
    ]
    entry = Entry("m", 1, tuple(Target("m", target, predictor, Path(), 1e-5) for target in targets))
    counts = {1: 0, 2: 0, 3: 0}
    for number in range(10_000):
        counts[entry.choose(f"id{number}").release] += 1
    assert counts[3] == 0
    # 10,000 draws at 0.1: the standard deviation is 30, five of them are 150.
    assert abs(counts[2] - 1000) < 150


def _until_settled(models: Models) -> None:
    while models._loads.under_way:
        models._step()


def test_a_worker_is_not_ready_before_each_model_is_loaded_and_warm(serving: ServingFolder, models: Models):
    routed = {
        name: ModelRoute(version=1, targets=(serving.target(number, 1.0),)) for name, number in (("m", 1), ("n", 2))
    }
    routes.publish(serving.path, RouteFile(sequence=1, models=routed))
    models._step()
    seen: list[tuple[frozenset[str], bool]] = []
    while models._loads.under_way:
        seen.append((models.table.loading, bool(models.table.unready())))
        models._step()
    assert seen[0] == ({"m", "n"}, True)
    assert all(bool(loading) == unready for loading, unready in seen)
    assert (models.table.loading, models.table.unready()) == (frozenset(), "")


def test_at_first_only_what_takes_requests_is_loaded(serving: ServingFolder, models: Models):
    serving.route(1, live=1, warm=2)
    models._step()
    assert models._loads.under_way.keys() == {serving.packages[1][0]}
    models.look()
    assert [target.release for target in models.table.entries["m"].held] == [1, 2]


def test_who_starts_serves_what_was_served_last_while_the_route_is_broken(serving: ServingFolder, models: Models):
    serving.route(1, live=1)
    models.look()
    (serving.path / "packages" / serving.packages[2][0] / "model.onnx").write_bytes(b"")
    serving.route(2, live=2)
    models.look()
    assert _answer(models) == [1.0]
    after = Models(serving.path, lambda *_, **__: None, lambda: None)
    after.look()
    _until_settled(after)
    assert (after.table.versions, after.table.failed["m"]["version"], _answer(after)) == ({"m": 1}, 2, [1.0])
    assert not after.table.unready()
    (serving.path / routes.ROUTE_FILE).unlink()
    last = Models(serving.path, lambda *_, **__: None, lambda: None)
    last.look()
    assert _answer(last) == [1.0]


def test_what_failed_says_with_which_file_and_is_tried_again_with_the_next(serving: ServingFolder, models: Models):
    model = serving.path / "packages" / serving.packages[1][0] / "model.onnx"
    whole = model.read_bytes()
    model.write_bytes(b"")
    serving.route(1, live=1)
    models.look()
    assert models.table.failed["m"]["sequence"] == 1
    model.write_bytes(whole)
    routed = {"m": ModelRoute(version=1, targets=(serving.target(1, 1.0),))}
    routes.publish(serving.path, RouteFile(sequence=2, models=routed))
    models.look()
    assert (models.table.failed, _answer(models)) == ({}, [1.0])


def test_an_entry_that_did_not_change_stays_what_it_is(serving: ServingFolder, models: Models):
    serving.route(1, live=1)
    models.look()
    entry = models.table.entries["m"]
    routed = {
        "m": ModelRoute(version=1, targets=(serving.target(1, 1.0),)),
        "n": ModelRoute(version=1, targets=(serving.target(2, 1.0),)),
    }
    routes.publish(serving.path, RouteFile(sequence=2, models=routed))
    models.look()
    assert models.table.entries["m"] is entry
    assert models.table.versions == {"m": 1, "n": 1}
