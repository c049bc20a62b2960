"""Call a Python task service, once, in this process: for a debugger.

    .venv/bin/python tools/invoke_task.py SERVICE [EVENT]

SERVICE is a folder of services/, EVENT a JSON file; without one, the example event of the service's README.md is taken.
Prints the output as JSON. An error is raised as it is, for the debugger to stop at. A service in Node is called by
invoke_task.mjs; what only AWS or the local target gives (roles, time limits, the context) is not there.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

SERVICES = Path(__file__).resolve().parents[1] / "services"
_EXAMPLE = re.compile(r"Example event:\n\n```json\n(.+?)```", re.DOTALL)


def main(arguments: Sequence[str]) -> str | None:
    """Return what is wrong with the arguments, in one line, or None when the service has been called."""
    if len(arguments) not in {1, 2}:
        return "usage: invoke_task.py SERVICE [EVENT]"
    folder = SERVICES / arguments[0]
    if not (folder / "handler.py").is_file():
        called = sorted(file.parent.name for file in SERVICES.glob("*/handler.py"))
        return f"{arguments[0]}: is no service in Python; those are {', '.join(called)}"
    event = _event(folder, arguments[1:])
    if isinstance(event, str):
        return event
    sys.path.insert(0, str(folder))  # where Lambda finds the modules of a function
    output = importlib.import_module("handler").handler(event, None)
    print(json.dumps(output, ensure_ascii=False, indent=2))
    return None


def _event(folder: Path, given: Sequence[str]) -> dict[str, object] | str:
    """Return the event, or what is wrong with it."""
    if given:
        file, text = Path(given[0]), ""
        try:
            text = file.read_text("utf-8")
        except OSError as exc:
            return f"{file}: {exc.strerror}"
    else:
        file = folder / "README.md"
        example = _EXAMPLE.search(file.read_text("utf-8")) if file.is_file() else None
        if example is None:
            return f"{file}: has no example event; give a file with one"
        text = example[1]
    try:
        event = json.loads(text)
    except ValueError as exc:
        return f"{file}: is not JSON: {exc}"
    return event if isinstance(event, dict) else f"{file}: is not a JSON object, as an event is"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
