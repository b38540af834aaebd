"""What a fresh Python runs: asks `child` for an answer, and writes down what came of it and which files were imported.

Run by its path, `python -I boot.py REQUEST RESULT`, where plusone may not be installed and anything may be missing:
it imports the standard library alone until it knows how to report what is not there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

__all__ = ["described", "main"]


def main(request_path: str, result_path: str) -> None:
    """Answer the request in a file, and write the result into another: the answer, or `error`; and `files`."""
    request: dict[str, Any] = json.loads(Path(request_path).read_text())
    sys.path[:0] = request["sources"]
    try:
        from plusone.replaying import child

        result: dict[str, Any] = child.answer(request)
    except Exception as error:
        result = {"error": described(error)}
    modules: list[Any] = list(sys.modules.values())
    result["files"] = sorted({str(file) for module in modules if (file := getattr(module, "__file__", None))})
    Path(result_path).write_text(json.dumps(result))


def described(error: BaseException) -> dict[str, str]:
    """Return the error as a message, with the name of the module that was missing first of all, '' for none."""
    module = ""
    seen: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in seen:
        seen.append(one)
        if isinstance(one, ModuleNotFoundError) and one.name:
            module = one.name
        one = one.__cause__ or one.__context__
    return {"kind": type(error).__name__, "message": str(getattr(error, "message", error)), "module": module}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
