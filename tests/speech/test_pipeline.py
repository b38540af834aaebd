"""The example of sounds, released at a small size: its own tests are the gate."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest

import plusone
from plusone.base.errors import StepFailed
from plusone.release.making import Request
from tests.projects import copy_example, missed_without, release_example


def test_without_the_program_that_speaks_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    project = copy_example("speech", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        plusone.App(project) as app,
        pytest.raises(StepFailed, match="espeak-ng is not installed: apt-get install espeak-ng"),
    ):
        app.make_release(Request(), on_event=lambda event: None)


@pytest.mark.timeout(900)
def test_it_is_released_and_understands_a_wav(tmp_path: Path):
    pytest.importorskip("torch", reason="not run: torch not available here: `make torch` has it")
    program = shutil.which("espeak-ng")
    if program is None:
        pytest.skip("not run: espeak-ng not available: apt-get install espeak-ng")
    project = copy_example("speech", tmp_path)
    predictor = release_example(project, voices=12, holdout_voices=2, epochs=20)
    field = predictor.package.signature.fields[0]
    assert (field.name, field.shape, field.dtype) == ("sound", (6000,), "float32")
    sound = subprocess.run([program, "--stdout", "-v", "en-us", "stop"], check=True, capture_output=True).stdout
    row = {"sound": {"base64": base64.b64encode(sound).decode()}}
    answer = predictor.run(predictor.decode(json.dumps({"rows": [row]}).encode()))
    assert answer.labels.tolist() == ["stop"]
    # It needs neither PyTorch nor what it was trained with, and all that it does need is missed by name.
    missed = missed_without(project, "words@1")
    assert missed == {
        "msgspec": "msgspec",
        "numpy": "numpy",
        "onnxruntime": "onnxruntime",
        "typing-extensions": "typing_extensions",
    }
