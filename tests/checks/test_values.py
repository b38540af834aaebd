"""Step outputs of a run as tests get them."""

from __future__ import annotations

import pytest

from plusone.base.errors import UsageError
from plusone.checks.values import Values
from tests.checks.conftest import Sandbox


def test_a_test_of_another_model_is_told_to_say_so(tmp_path):
    box = Sandbox(tmp_path / "project")
    box.change(model="delays", models=("delays", "fares"), result=str(tmp_path / "result.json"))
    with pytest.raises(UsageError, match=r'delays is made without.*\n.*@pytest\.mark\.model\("fares"\)'):
        Values(box.context).fresh("fares_set")
    box.change(models=("delays",))
    with pytest.raises(UsageError, match=r"was not made in this run.*\n.*plusone release --until STEP"):
        Values(box.context).fresh("fares_set")
