# ruff: noqa: INP001 - a part of the runtime's program, no module of this package
"""Faults on purpose, for the tests of what has to survive them; the runtime loads this for functions that ask for it.

`ORCHESTRA_LOCAL_FAULTS` in a function's environment says how often, as in `{"seed": 7, "exit": 0.1, "api": 0.01}`:

* `exit`: the share of its invocations in which the process dies: before the handler, before or after something that it
  changes in AWS, or when the handler is done and the result is not reported yet;
* `api`: the share of its calls of AWS that are throttled, or never sent, or applied and the reply lost (after these the
  SDK asks again), or applied and the reply broken off (after which it gives up).

The same seed gives the n-th environment of a function the same draws. What they meet there depends on the machine.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import random
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

Handler = Callable[[Any, Any], Any]
API_FAULTS = ("throttled", "unsent", "lost", "broken")
READS = (".Get", ".BatchGet", ".Query", ".Receive")
POINTS = 12
"""Among how many points an invocation dies that dies on the way: two for each call that changes something, so as many
as two tasks of a worker have. To die at a read is to die before the next change."""


class Faults:
    """The draws of one environment. `_left` is how many points its invocation gets past, or None if it is spared."""

    def __init__(self, settings: Mapping[str, Any], chance: random.Random) -> None:
        self._exit = settings.get("exit", 0)
        self._api = settings.get("api", 0)
        self._chance = chance
        self._left: float | None = None

    def around(self, handler: Handler) -> Handler:
        def disturbed(event: Any, context: Any) -> Any:
            self._left = self._fate()
            self._pass_point(changes=True)
            try:
                return handler(event, context)
            finally:
                if self._left is not None:
                    die("at the end")

        return disturbed

    def _fate(self) -> float | None:
        if self._chance.random() >= self._exit:
            return None
        on_the_way = self._chance.randrange(1, POINTS)
        return self._chance.choice((0, on_the_way, on_the_way, math.inf))

    def _pass_point(self, *, changes: bool) -> None:
        if self._left is None or not changes:
            return
        if self._left <= 0:
            die("on the way")
        self._left -= 1

    def disturb_sdk(self) -> None:
        # The one place through which every call of every client goes, below the SDK's own retries.
        from botocore import httpsession  # noqa: PLC0415 - the function has it, or this is not called

        sessions: Any = httpsession.URLLib3Session
        send = sessions.send

        def disturbed(session: Any, request: Any) -> Any:
            changes = is_change(request)
            self._pass_point(changes=changes)
            fault = self._chance.choice(API_FAULTS) if self._chance.random() < self._api else None
            if fault is not None:
                print(f"ORCHESTRA_LOCAL_FAULTS: {fault}: {request.method} {request.url}")
            reply = with_fault(fault, request, lambda: send(session, request))
            self._pass_point(changes=changes)
            return reply

        sessions.send = disturbed


def is_change(request: Any) -> bool:
    operation = str(request.headers.get("X-Amz-Target"))  # of DynamoDB and SQS; Lambda is only ever invoked
    return not any(read in operation for read in READS)


def with_fault(fault: str | None, request: Any, send: Callable[[], Any]) -> Any:
    from botocore import exceptions  # noqa: PLC0415

    if fault == "throttled":
        return throttled(request)
    if fault == "unsent":
        raise exceptions.EndpointConnectionError(endpoint_url=request.url)
    reply = send()
    if fault == "lost":
        raise exceptions.ConnectionClosedError(request=request, endpoint_url=request.url)
    if fault == "broken":
        raise exceptions.IncompleteReadError(actual_bytes=0, expected_bytes=1)
    return reply


def throttled(request: Any) -> Any:
    from botocore.awsrequest import AWSResponse  # noqa: PLC0415

    status, name = (429, "TooManyRequestsException") if "/functions/" in request.url else (400, "ThrottlingException")
    body = json.dumps({"__type": name, "message": "ORCHESTRA_LOCAL_FAULTS"}).encode()
    headers: Any = {"x-amzn-errortype": name}
    return AWSResponse(request.url, status, headers, SimpleNamespace(stream=lambda: [body]))


def die(where: str) -> NoReturn:
    print(f"ORCHESTRA_LOCAL_FAULTS: exit {where}", flush=True)
    os._exit(1)


def environment_number() -> int:
    """Return which environment of its function this is, counted from 0 since the emulator's start."""
    for number in itertools.count():
        with contextlib.suppress(FileExistsError):
            os.close(os.open(Path(os.environ["TMPDIR"], f"environment-{number}"), os.O_CREAT | os.O_EXCL))
            return number
    raise AssertionError


def disturb(handler: Handler) -> Handler:
    """Return the handler with the faults that this environment's `ORCHESTRA_LOCAL_FAULTS` asks for."""
    settings = json.loads(os.environ["ORCHESTRA_LOCAL_FAULTS"])
    place = f"{settings['seed']}/{os.environ['AWS_LAMBDA_FUNCTION_NAME']}/{environment_number()}"
    faults = Faults(settings, random.Random(place))  # noqa: S311 - it is to be repeatable
    if "botocore" in sys.modules:
        faults.disturb_sdk()
    return faults.around(handler)
