# ruff: noqa: INP001, SLF001 - a program of its own; ministack has no interface for what is inside it
"""The emulator, with a memory that outlives its process. Runs in the emulator's own Python.

By itself ministack writes down what it holds when it is stopped, and nothing when it is killed; what is in buckets and
what nobody has read yet from a stream it never writes down. Here a forked child writes everything to one file, while
others are served: its memory stands still, so that the file holds one instant. That happens when the emulator is
stopped, a moment after every change, and when it is asked for.

A schedule invokes its target within a second of its time, and not of ten. State machines are run by `stepfunctions`.

Functions that were running are gone after a restart, and so are events that Lambda had taken and not yet handed on.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from ministack import app as gateway
from ministack.core import persistence
from ministack.services import scheduler

sys.path.append(str(Path(__file__).parents[2]))  # an isolated interpreter has not even the folder of its program
from local.bootstrap import stepfunctions

FILE = Path(os.environ["STATE_DIR"], "checkpoint.json")  # the code of the functions is in files beside it
REQUEST = "/_orchestra/checkpoint"
PERIOD_S = 1.0
SHARE = 10  # a checkpoint is followed by a pause of this many times what it took
CHILD_TIMEOUT_S = 60
SCHEDULE_TICK_S = 1

_changed = threading.Event()
_one = threading.Lock()


class CheckpointError(Exception):
    """The child could not write; the last checkpoint stands. It has said why."""


def checkpoint() -> None:
    """Write down what is held at this instant, and return when it stands."""
    with _one:
        child = os.fork()
        if child == 0:
            _write_and_exit()
        _, status = os.waitpid(child, 0)
    if status != 0:
        raise CheckpointError


def _write_and_exit() -> NoReturn:
    # Of the parent's threads only this one is left. It must not get stuck: it holds the emulator's lock.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(CHILD_TIMEOUT_S)
    try:
        _write()
    except BaseException:  # noqa: BLE001 - nothing may get out of here, into the parent's code
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _write() -> None:
    functions = _loaded("lambda_svc")
    needed: set[str] = set()
    if functions:  # it would delete code that the last checkpoint still needs
        delete_others, functions._prune_orphan_code_blobs = functions._prune_orphan_code_blobs, needed.update
    text = json.dumps(_held(), default=persistence._json_default)
    FILE.parent.mkdir(exist_ok=True)
    new = FILE.with_suffix(".new")
    new.write_text(text)
    new.replace(FILE)
    if functions:
        delete_others(needed)


def _held() -> dict[str, Any]:
    held = {name: get_state() for name, get_state in gateway._build_persistence_save_dict().items()}
    if "s3" in held:
        held["s3"]["buckets_meta"] = _loaded("s3")._buckets  # with their objects
    if "dynamodb" in held:
        held["streams"] = _unread()
    return held


def _unread() -> list[tuple[list[str], int, list[Any]]]:
    """Return, for each table, the records that not all mappings have read, and how many came before them."""
    tables, functions = _loaded("dynamodb"), _loaded("lambda_svc")
    mappings = functions._esms._data if functions else {}
    positions = functions._dynamodb_stream_positions._data if functions else {}
    unread = []
    for (account, region, table), records in tables._stream_records._data.items():
        trimmed = tables._stream_trimmed._data.get((account, region, table), 0)
        stream = f"arn:aws:dynamodb:{region}:{account}:table/{table}/stream/"
        sources = {key: mapping.get("EventSourceArn", "") for key, mapping in mappings.items()}
        readers = [positions.get(key, trimmed) for key, source in sources.items() if source.startswith(stream)]
        start = max(trimmed, min(readers, default=trimmed))
        unread.append(([account, region, table], start, records[start - trimmed :]))
    return unread


def restore() -> None:
    """Take up what the last checkpoint holds. An emulator that cannot must not start: it would write over it."""
    if not FILE.exists():
        return
    try:
        _restore(json.loads(FILE.read_text(), object_hook=persistence._json_object_hook))
        stepfunctions.resume()
    except BaseException:  # noqa: BLE001 - the server would go on without what is missing
        traceback.print_exc()
        os._exit(1)


def _restore(held: dict[str, Any]) -> None:
    # The functions come last: their event sources are polled from then on.
    for name, module in sorted(gateway._state_map.items(), key=lambda item: item[0] == "lambda"):
        if name == "lambda":
            _restore_streams(held.get("streams", []))
        if held.get(name):
            gateway._get_module(module).load_persisted_state(held[name])


def _restore_streams(streams: list[tuple[list[str], int, list[Any]]]) -> None:
    for key, start, records in streams:
        tables = _loaded("dynamodb")
        tables._stream_trimmed.set_scoped(*key, start)
        tables._stream_records.set_scoped(*key, records)


def _loaded(service: str) -> Any:
    """Return the module of a service, or None: they are imported when they are needed first."""
    return sys.modules.get(f"ministack.services.{service}")


def keep() -> None:
    """Write a checkpoint soon after each change, and one more: what functions do ends a little later."""
    pause = PERIOD_S
    again = False
    while True:
        if not again:
            _changed.wait()
        time.sleep(pause)
        again = _changed.is_set()
        _changed.clear()
        began = time.monotonic()
        with suppress(CheckpointError):  # the next may succeed
            checkpoint()
        pause = max(PERIOD_S, SHARE * (time.monotonic() - began))


Asgi = Callable[[dict[str, Any], Any, Callable[[dict[str, Any]], Awaitable[None]]], Awaitable[None]]


def watched(served: Asgi) -> Asgi:
    """Return the emulator's server, which notes that something may have changed, and writes a checkpoint if asked."""

    async def serve(scope: dict[str, Any], receive: Any, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        path = scope.get("path", "")
        if path == REQUEST:
            await asyncio.to_thread(checkpoint)
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        try:
            await served(scope, receive, send)
        finally:
            if path and not path.startswith("/_ministack"):
                _changed.set()

    return serve


def main() -> None:
    gateway.app = watched(gateway.app)
    gateway._load_persisted_state = restore
    scheduler._SCHEDULE_TICK_INTERVAL = SCHEDULE_TICK_S
    stepfunctions.install(_changed)
    gateway.save_all = lambda _services: checkpoint()
    threading.Thread(target=keep, daemon=True, name="checkpoints").start()
    gateway.main()


if __name__ == "__main__":
    main()
