"""`plusone release`: options that contradict each other are told before anything is made; what CI reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from junitparser import JUnitXml

from plusone.app.app import App
from plusone.base.records import Session
from plusone.cli import main as cli
from plusone.cli import release
from plusone.release.making import Made
from tests.journeys.projects import make_project, ran, run
from tests.release.written import PASSED, Written, write_project


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--live", "--no-promote"], "say opposite things"),
        (["--trust", "a" * 64], "--from"),
        (["--from", "m@1", "--until", "split"], "--until makes no release"),
        (["n", "--from", "m@1"], "another model"),
    ],
)
def test_options_that_contradict_each_other(
    tmp_path: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
):
    root = write_project(tmp_path / "p")
    with pytest.raises(SystemExit) as ended:
        cli.main(["--project", str(root), "release", *words])
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_check_that_is_left_out_and_is_none_is_told_before_a_step_runs(tmp_path: Path):
    project = make_project(tmp_path / "p", built_in=True)
    with (project / "pyproject.toml").open("a") as settings:
        settings.write('\n[tool.plusone.checks]\nskip = ["colums", "fast"]\n')
    done = run(project, "release")
    assert done.returncode == 2
    assert (
        "[tool.plusone.checks] skip names 'colums', and plusone has no such check. Closest is 'columns'."
        in " ".join(done.stderr.split())
    )
    assert 'skip = ["columns", "fast"]' in done.stderr
    assert ran(project) == []


def test_junit_is_written_of_what_was_made_of_what_was_there_and_of_what_the_data_stopped(tmp_path: Path):
    written = Written(tmp_path / "p")
    made = written.release(checks=[*PASSED, ("model", "failed")])
    file = tmp_path / "checks.xml"
    with App(written.root) as app:
        session = app.list_checks(target="m@1")
        for one in (
            Made(outcome="failed", run_id="r", model="m", release=made, session=session),
            Made(outcome="unchanged", run_id="r", model="m", release=made),
        ):
            release._write_junit(app, one, file)
            [suite] = JUnitXml.fromfile(str(file))
            assert (suite.name, suite.tests, suite.failures) == ("m@1", 4, 1)
            file.unlink()
        stopped = Session(id="s", release=None, checks=session.checks[:1])
        release._write_junit(app, Made(outcome="stopped", run_id="r", model="m", session=stopped), file)
        [suite] = JUnitXml.fromfile(str(file))
        assert (suite.name, suite.tests, suite.failures) == ("m", 2, 1)
        file.unlink()
        release._write_junit(app, Made(outcome="ran", run_id="r"), file)
        assert not file.exists()
    written.close()
