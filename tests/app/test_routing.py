"""What a route is made of, with shares and a shadow."""

from __future__ import annotations

from pathlib import Path

from plusone.app.routing import describe_route
from plusone.base.records import Release, Route, Share
from plusone.release.lifecycle import current_route
from plusone.store.rows import to_row
from tests.release.written import Written


def share(release: Release, value: float) -> Share:
    return Share(release=release.number, digest=release.digest, share=value)


def test_what_takes_traffic_comes_first_and_a_release_is_named_once(tmp_path: Path) -> None:
    written = Written(tmp_path / "p")
    first, second = written.release(live=True), written.release()
    before = current_route(written.store.db, "m")
    assert before is not None
    route = Route(
        model="m",
        version=2,
        shares=(share(second, 0.05), share(first, 0.95)),
        previous=share(first, 0.0),
        decision=before.decision,
        at="2026-01-01T00:00:00.000000Z",
    )
    with written.store.db.write() as tx:
        tx.execute("route_add", **to_row(route))
    found = describe_route(written.store, "m")
    assert [(one.release, one.share, one.shadow) for one in found.releases] == [(1, 0.95, 0.0), (2, 0.05, 0.0)]
    assert found.decision is not None
    assert found.decision.release == 1
    written.close()
