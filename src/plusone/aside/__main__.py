"""`python -m plusone.aside DESCRIPTOR`: the process beside a worker, with the handlers of plusone's own protocol."""

from __future__ import annotations

import sys

from .handlers import HANDLERS
from .process import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], HANDLERS))
