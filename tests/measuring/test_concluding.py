"""What was given and what would do, in one sentence and one line."""

from __future__ import annotations

import pytest

from plusone.base.errors import UsageError
from plusone.measuring.concluding import check_range


def test_an_argument_out_of_its_range_is_named_with_what_would_do():
    check_range(True, "0 or more", by=(1, 0.0))
    with pytest.raises(UsageError) as raised:
        check_range(False, "numbers between 0 and 1", at_most=(2, 0.05), kind=("x", "y"))
    assert raised.value.message == "at_most = 2, kind = 'x': expected numbers between 0 and 1."
    assert raised.value.mend == "at_most=0.05, kind='y'"
