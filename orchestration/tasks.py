"""Task services: the port through which a worker runs one attempt of a task, and its adapter for Lambda."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from orchestration import payload, retry
from orchestration.errors import PayloadError, PayloadTooLarge
from orchestration.model import Failure
from orchestration.payload import Json

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

MAX_EVENT_BYTES = 6_291_456
"""What a synchronous invocation may send. Source: docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html."""
MAX_MESSAGE_CHARS = 1_000
NOT_RUN = frozenset(
    {
        "TooManyRequestsException",  # it is at its concurrency limit
        "EC2ThrottledException",
        "ResourceConflictException",  # it is being created or updated
        "ResourceNotReadyException",
        "CodeArtifactUserPendingException",  # an image function that was idle for weeks is being brought back
    }
)
"""The errors that say that the function has not run."""
NEVER_CONNECTED = (ConnectTimeoutError, EndpointConnectionError)
BACKOFF_S = (0.2, 0.4, 0.8, 1.6)
"""The waits before asking again for a function that has not run: together well within a lease's slack."""


@dataclass(frozen=True)
class Returned:
    """The task's output, as compact JSON text within the limit."""

    output: str


@dataclass(frozen=True)
class Raised:
    failure: Failure


@dataclass(frozen=True)
class NotRun:
    """The service was busy, and has certainly not run."""

    failure: Failure


Result: TypeAlias = Returned | Raised | NotRun


class TaskServices(Protocol):
    def invoke(self, service: str, event: Mapping[str, Json], timeout_s: float, beat: Callable[[], None]) -> Result:
        """Run one attempt and wait for it, calling `beat` from time to time: the worker is alive.

        A service may have had its effect even if the result is an error.
        """


class LambdaServices:
    """Invokes the Lambda function of a service and waits. Each timeout has a client of its own: it is a socket's."""

    def __init__(
        self,
        client: Callable[[float], LambdaClient],
        functions: Mapping[str, str],
        sleep: Callable[[float], None],
        heartbeat_s: float,
    ) -> None:
        self._client = client
        self._functions = functions
        self._sleep = sleep
        self._heartbeat_s = heartbeat_s

    def invoke(self, service: str, event: Mapping[str, Json], timeout_s: float, beat: Callable[[], None]) -> Result:
        function = self._functions.get(service)
        if function is None:
            return Raised(Failure("Orchestra.UnknownService", f"no service {service!r} is deployed"))
        body = payload.compact(event).encode()  # of values that were JSON when they were recorded
        if len(body) > MAX_EVENT_BYTES:
            limit = f"its event is {len(body)} bytes, and Lambda's limit is {MAX_EVENT_BYTES}"
            return Raised(Failure(retry.DATA_LIMIT, limit))
        with ThreadPoolExecutor(max_workers=1) as waiting:
            answer = waiting.submit(self._answer, function, body, timeout_s)
            while not wait([answer], timeout=self._heartbeat_s).done:
                beat()
            return answer.result()

    def _answer(self, function: str, body: bytes, timeout_s: float) -> Result:
        try:
            return self._ask(function, body, timeout_s)
        except ReadTimeoutError:
            return Raised(Failure(retry.TIMEOUT, f"no result after {timeout_s:g} s"))
        except ClientError as exc:
            error = exc.response["Error"]
            failure = Failure(f"Lambda.{error['Code']}", _clipped(error.get("Message", "")))
            return NotRun(failure) if error["Code"] in NOT_RUN else Raised(failure)
        except BotoCoreError as exc:
            failure = Failure(retry.CONNECTION_LOST, _clipped(f"{type(exc).__name__}: {exc}"))
            # A connection that broke may have carried the request; one that was never made has not.
            return NotRun(failure) if isinstance(exc, NEVER_CONNECTED) else Raised(failure)

    def _ask(self, function: str, body: bytes, timeout_s: float) -> Result:
        client = self._client(timeout_s)
        for wait_s in (*BACKOFF_S, None):
            try:
                reply = client.invoke(FunctionName=function, Payload=body)
                return result_of(reply["Payload"].read(), failed="FunctionError" in reply)
            except ClientError as exc:
                if exc.response["Error"]["Code"] not in NOT_RUN or wait_s is None:
                    raise
                self._sleep(wait_s)
        raise AssertionError("the last round returns or raises")


def result_of(body: bytes, *, failed: bool) -> Result:
    """Return what a function's response says: its output, or the error that it raised."""
    try:
        value = payload.parse(body or b"null", what="the task's output")
        if failed:
            return Raised(_failure(value))
        return Returned(payload.dump(value, what="the task's output"))
    except PayloadTooLarge as exc:
        return Raised(Failure(retry.DATA_LIMIT, str(exc)))
    except PayloadError as exc:
        return Raised(Failure(retry.INVALID_OUTPUT, _clipped(str(exc))))


def _failure(error: Any) -> Failure:
    """Return the error of an invocation, from what Lambda reports of it. Whatever is reported, it has a name."""
    fields = error if isinstance(error, dict) else {}
    return failure_of(str(fields.get("errorType") or "Unknown"), str(fields.get("errorMessage", "")))


def failure_of(name: str, message: str) -> Failure:
    """Return an error by the name that retry policies know, which is one for all ways in which Lambda reports it."""
    name, message = _storable(name), _storable(message)
    # Lambda reports its own time-out by type since 2023 and by message before, and the same attempt may meet either.
    if name == "Sandbox.Timedout" or (name == "Unknown" and "Task timed out after" in message):
        name = retry.TIMEOUT
    if name == "Function.ResponseSizeTooLarge":  # Lambda's own limit, above ours
        name = retry.DATA_LIMIT
    return Failure(name[:256], _clipped(message))


def _storable(text: str) -> str:
    """Return a text with a mark in place of each lone surrogate: JSON can express one, and UTF-8 cannot."""
    return text.encode(errors="replace").decode()


def _clipped(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE_CHARS else message[: MAX_MESSAGE_CHARS - 3] + "..."
