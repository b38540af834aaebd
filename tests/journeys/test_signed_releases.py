"""Releases signed as they are made, and a server that takes no others, lived through."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from plusone.app.app import App
from plusone.release import lifecycle
from plusone.trust.keys import make_key
from tests.journeys.projects import environment, make_project, released_once, run, run_json
from tests.journeys.up import Up
from tests.serving.serving_folder import BODY, ask

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_server_that_takes_only_signed_releases(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path):
    project = Path(shutil.copytree(released_once(tmp_path_factory), tmp_path / "p"))
    key = make_key(tmp_path / "key.pem")
    settings = project / "pyproject.toml"
    plain = settings.read_text("utf-8")
    assert plain.endswith("[tool.plusone.serve]\n") or "[tool.plusone.serve]" not in plain
    serve = "" if "[tool.plusone.serve]" in plain else "\n[tool.plusone.serve]\n"
    settings.write_text(f'{plain}{serve}signed_by = ["{key.public}"]\n', "utf-8")
    # Release 1 was made before there was a key, and is live: it is not rolled back for that.
    refused = run(project, "up")
    assert refused.returncode == 2
    assert "m@1 is not signed by a key of [tool.plusone.serve] signed_by" in refused.stderr
    signed = run_json(project, "sign", "m@1", "--key", str(tmp_path / "key.pem"), "--by", "ann")
    assert signed["key"] == key.public
    with Up(project) as up:
        up.wait_for("ready")
        # One that is signed as it is made goes live; one that is not does not.
        with_key = environment(PLUSONE_SIGNING_KEY=str(tmp_path / "key.pem"))
        made = json.loads(run(project, "release", "--set", "C=3", "--json", env=with_key).stdout)
        assert (made["release"], made["served"]["state"]) == (2, "served")
        held = run_json(project, "release", "--set", "C=4", code=1)
        assert (held["release"], held["stage"]) == (3, "passed")
        assert "m@3 is not signed" in held["problems"][0]
        assert "m@3 is not signed" in run(project, "promote", "m@3").stderr
        # Whoever goes past the command meets the workers.
        with App(project) as app:
            route = lifecycle.promote(app.store, "m@3", by="eve").route
            assert route is not None
            assert "m@3 is not signed" in up.wait_for("taken back")["error"]
        assert ask(up.port, "POST", "/models/m/predict", BODY)[2].startswith(b'{"model":"m","release":2,')
        # Going back to what was signed before is legitimate.
        assert run_json(project, "rollback", "m@1")["release"] == 1
    with App(project) as app:
        assert [len(app.list_signatures(target=f"m@{number}")) for number in (1, 2, 3)] == [1, 1, 0]
        assert app.list_signatures(target="m@2")[0].key == key.public


def test_a_key_that_can_not_be_used_ends_a_release_before_anything_runs(tmp_path: Path):
    project = make_project(tmp_path / "p")
    (tmp_path / "key.pem").write_text("no key", "utf-8")
    (tmp_path / "key.pem").chmod(0o600)
    done = run(project, "release", env=environment(PLUSONE_SIGNING_KEY=str(tmp_path / "key.pem")))
    assert done.returncode == 2
    assert "Releases can't be signed" in done.stderr
    with App(project) as app:
        assert app.list_runs() == []
