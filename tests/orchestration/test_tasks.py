"""What a Lambda invocation means for a task: its output, or an error that has a name whatever was reported."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from botocore.response import StreamingBody
from botocore.stub import Stubber

from orchestration import payload
from orchestration.model import Failure
from orchestration.tasks import BACKOFF_S, MAX_EVENT_BYTES, LambdaServices, NotRun, Raised, Returned, result_of

LIMIT = payload.LIMIT_BYTES
URL = "https://lambda"


def answered(body: bytes, *, failed: bool = False) -> dict[str, Any]:
    reply = {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": StreamingBody(io.BytesIO(body), len(body))}
    return {**reply, "FunctionError": "Unhandled"} if failed else reply


def refused(code: str, message: str = "because", status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "Invoke",
    )


class Scripted:
    """A Lambda client that gives prepared answers, one after the other."""

    def __init__(self, *answers: dict[str, Any] | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, bytes]] = []

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - as boto3 names it
        self.requests.append((FunctionName, Payload))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def never() -> None:
    raise AssertionError("a beat, though nothing was waited for")


def invoke(
    *answers: dict[str, Any] | Exception, event: Any = None, timeout_s: float = 60
) -> tuple[Any, Scripted, list[float]]:
    """Return the result of one attempt, the client, and how long was waited."""
    client = Scripted(*answers)
    waited: list[float] = []
    services = LambdaServices(lambda _: client, {"a": "fn-a"}, waited.append, 20)  # type: ignore[arg-type,return-value]
    return services.invoke("a", event or {"run_id": "r"}, timeout_s, never), client, waited


# -- what comes back ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "output"),
    [
        (b"null", "null"),
        (b"", "null"),
        (b'{ "a" : [1, 2.0, "\\u00e9"] }', '{"a":[1,2.0,"é"]}'),
        ('"é"'.encode(), '"é"'),
        (b"18446744073709551617", "18446744073709551617"),
        (
            b'{"errorType":"Boom","errorMessage":"a value like any other"}',
            '{"errorType":"Boom","errorMessage":"a value like any other"}',
        ),
        (b'{"b":1,"a":2}', '{"b":1,"a":2}'),
        (b'"' + b"x" * (LIMIT - 2) + b'"', '"' + "x" * (LIMIT - 2) + '"'),
        (b"[" + b"0, " * 100 + b"0]", "[" + "0," * 100 + "0]"),
    ],
)
def test_an_output(body: bytes, output: str) -> None:
    assert result_of(body, failed=False) == Returned(output)


@pytest.mark.parametrize(
    ("body", "name", "message"),
    [
        (
            b'"' + b"x" * (LIMIT - 1) + b'"',
            "States.DataLimitExceeded",
            (
                "the task's output: is 262145 bytes as JSON, and the limit is 262144; "
                "pass a reference to it instead (an S3 key)"
            ),
        ),
        (
            b"[" + b"0," * LIMIT + b"0]",
            "States.DataLimitExceeded",
            (
                "the task's output: is more than 262144 bytes as JSON, and the limit is 262144; "
                "pass a reference to it instead (an S3 key)"
            ),
        ),
        (
            b"<html>",
            "Orchestra.InvalidOutput",
            "the task's output: is not JSON (Expecting value: line 1 column 1 (char 0))",
        ),
        (b"NaN", "Orchestra.InvalidOutput", "the task's output: is not JSON (NaN is not a JSON number)"),
        (b'{"a":1e999}', "Orchestra.InvalidOutput", "the task's output: is not JSON (the number 1e999 is too large)"),
        (b'{"a":1,"a":2}', "Orchestra.InvalidOutput", "the task's output: is not JSON (the key 'a' is there twice)"),
        (b"\xff", "Orchestra.InvalidOutput", "the task's output: is not UTF-8"),
        (
            b'"\\ud800"',
            "Orchestra.InvalidOutput",
            "the task's output: holds a lone surrogate, which UTF-8 cannot express",
        ),
        (b"[" * 50_000, "Orchestra.InvalidOutput", "the task's output: is nested too deeply"),
        (
            b"[" * 201 + b"]" * 201,
            "Orchestra.InvalidOutput",
            "the task's output: is nested more than 200 levels deep, or holds itself",
        ),
    ],
)
def test_an_output_that_cannot_be_recorded(body: bytes, name: str, message: str) -> None:
    assert result_of(body, failed=False) == Raised(Failure(name, message))


@pytest.mark.parametrize(
    ("reported", "failure"),
    [
        # Python
        (
            {"errorMessage": "it broke", "errorType": "Boom", "requestId": "x", "stackTrace": ["  File ..."]},
            Failure("Boom", "it broke"),
        ),
        # Node
        (
            {"errorType": "TypeError", "errorMessage": "x is not a function", "trace": ["TypeError: ..."]},
            Failure("TypeError", "x is not a function"),
        ),
        # killed for its memory, or its own exit
        (
            {
                "errorType": "Runtime.ExitError",
                "errorMessage": "RequestId: 7 Error: Runtime exited with error: signal: killed",
            },
            Failure("Runtime.ExitError", "RequestId: 7 Error: Runtime exited with error: signal: killed"),
        ),
        (
            {"errorType": "Runtime.OutOfMemory", "errorMessage": "RequestId: 7 Error: Runtime exited"},
            Failure("Runtime.OutOfMemory", "RequestId: 7 Error: Runtime exited"),
        ),
        # an output above Lambda's own limit is one above ours
        (
            {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": "Response payload size exceeded"},
            Failure("States.DataLimitExceeded", "Response payload size exceeded"),
        ),
        # its own time-out, as it is reported now, and as it was
        (
            {"errorType": "Sandbox.Timedout", "errorMessage": "RequestId: 7 Error: Task timed out after 3.00 seconds"},
            Failure("States.Timeout", "RequestId: 7 Error: Task timed out after 3.00 seconds"),
        ),
        (
            {"errorMessage": "2026-07-01T12:00:00.000Z 7 Task timed out after 3.00 seconds"},
            Failure("States.Timeout", "2026-07-01T12:00:00.000Z 7 Task timed out after 3.00 seconds"),
        ),
        # a task's own error that speaks of one is not one
        (
            {"errorType": "Boom", "errorMessage": "Task timed out after lunch"},
            Failure("Boom", "Task timed out after lunch"),
        ),
        # whatever else
        ({"errorType": "", "errorMessage": None}, Failure("Unknown", "None")),
        ({"errorType": ["a"], "errorMessage": {"b": 1}}, Failure("['a']", "{'b': 1}")),
        ({}, Failure("Unknown", "")),
        (None, Failure("Unknown", "")),
        ("text", Failure("Unknown", "")),
        ([1], Failure("Unknown", "")),
        ({"errorType": "E" * 300, "errorMessage": "m" * 1001}, Failure("E" * 256, "m" * 997 + "...")),
        ({"errorType": "E", "errorMessage": "m" * 1000}, Failure("E", "m" * 1000)),
    ],
)
def test_an_error_of_the_function(reported: Any, failure: Failure) -> None:
    assert result_of(json.dumps(reported).encode(), failed=True) == Raised(failure)


def test_an_error_that_is_not_json() -> None:
    assert result_of(b"<html>", failed=True) == Raised(
        Failure("Orchestra.InvalidOutput", "the task's output: is not JSON (Expecting value: line 1 column 1 (char 0))")
    )


def test_an_error_whose_text_cannot_be_stored_as_it_is() -> None:
    """A lone surrogate is JSON, and no UTF-8: what is stored has a mark in its place."""
    body = b'{"errorType":"B\\ud800","errorMessage":"\\udfff broke"}'
    assert result_of(body, failed=True) == Raised(Failure("B?", "? broke"))


# -- the invocation ----------------------------------------------------------------------------------------------------


def test_the_request_and_its_answer() -> None:
    result, client, waited = invoke(answered(b'{"a":1}'), event={"b": [1, "é"], "a": None})
    assert result == Returned('{"a":1}')
    assert client.requests == [("fn-a", '{"b":[1,"é"],"a":null}'.encode())]
    assert waited == []


def test_the_request_is_one_that_lambda_knows(client: Callable[..., Any]) -> None:
    real = client("lambda")
    with Stubber(real) as stub:
        stub.add_response("invoke", answered(b"1"), {"FunctionName": "fn-a", "Payload": b'{"x":1}'})
        stub.add_response(
            "invoke", answered(b'{"errorType":"Boom"}', failed=True), {"FunctionName": "fn-a", "Payload": b'{"x":1}'}
        )
        stub.add_client_error("invoke", "ResourceNotFoundException", "Function not found", 404)
        services = LambdaServices(lambda _: real, {"a": "fn-a"}, lambda _: None, 20)
        assert services.invoke("a", {"x": 1}, 5, never) == Returned("1")
        assert services.invoke("a", {"x": 1}, 5, never) == Raised(Failure("Boom", ""))
        assert services.invoke("a", {"x": 1}, 5, never) == Raised(
            Failure("Lambda.ResourceNotFoundException", "Function not found")
        )
        stub.assert_no_pending_responses()


def test_the_client_is_one_for_the_task_s_timeout() -> None:
    asked: list[float] = []

    def make(timeout_s: float) -> Any:
        asked.append(timeout_s)
        return Scripted(answered(b"1"))

    LambdaServices(make, {"a": "fn-a"}, lambda _: None, 20).invoke("a", {}, 7, never)
    assert asked == [7]


def test_a_service_that_is_not_deployed() -> None:
    client = Scripted()
    services = LambdaServices(lambda _: client, {"a": "fn-a"}, lambda _: None, 20)  # type: ignore[arg-type,return-value]
    assert services.invoke("b", {}, 5, never) == Raised(
        Failure("Orchestra.UnknownService", "no service 'b' is deployed")
    )
    assert client.requests == []


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("TooManyRequestsException", 429),
        ("EC2ThrottledException", 502),
        ("ResourceConflictException", 409),
        ("ResourceNotReadyException", 502),
        ("CodeArtifactUserPendingException", 409),
    ],
)
def test_a_function_that_is_busy_has_not_run(code: str, status: int) -> None:
    throttled = refused(code, "Rate Exceeded.", status)
    result, client, waited = invoke(throttled, throttled, answered(b"1"))
    assert result == Returned("1")
    assert len(client.requests) == 3
    assert waited == list(BACKOFF_S[:2])


def test_a_function_that_stays_busy() -> None:
    throttled = refused("TooManyRequestsException", "Rate Exceeded.", 429)
    result, client, waited = invoke(*[throttled] * (len(BACKOFF_S) + 1))
    assert result == NotRun(Failure("Lambda.TooManyRequestsException", "Rate Exceeded."))
    assert len(client.requests) == len(BACKOFF_S) + 1
    assert waited == list(BACKOFF_S)


class Unread:
    """A body of which the connection breaks while it is read."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def read(self) -> bytes:
        raise self.error


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (ReadTimeoutError(endpoint_url=URL), Failure("States.Timeout", "no result after 2.5 s")),
        ({"Payload": Unread(ReadTimeoutError(endpoint_url=URL))}, Failure("States.Timeout", "no result after 2.5 s")),
        (
            {"Payload": Unread(ResponseStreamingError(error="reset"))},
            Failure(
                "Orchestra.ConnectionLost",
                "ResponseStreamingError: An error occurred while reading from response stream: reset",
            ),
        ),
        (refused("ServiceException", "internal", 500), Failure("Lambda.ServiceException", "internal")),
        (refused("AccessDeniedException", "m" * 2000), Failure("Lambda.AccessDeniedException", "m" * 997 + "...")),
    ],
)
def test_an_invocation_that_breaks_is_one_attempt(answer: Any, failure: Failure) -> None:
    result, client, waited = invoke(answer, timeout_s=2.5)
    assert result == Raised(failure)
    assert (len(client.requests), waited) == (1, [])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            EndpointConnectionError(endpoint_url=URL),
            'EndpointConnectionError: Could not connect to the endpoint URL: "https://lambda"',
        ),
        (
            ConnectTimeoutError(endpoint_url=URL),
            'ConnectTimeoutError: Connect timeout on endpoint URL: "https://lambda"',
        ),
    ],
)
def test_a_connection_that_was_never_made_has_carried_nothing(answer: Any, message: str) -> None:
    assert invoke(answer)[0] == NotRun(Failure("Orchestra.ConnectionLost", message))


def test_a_worker_gives_signs_of_life_for_as_long_as_it_waits() -> None:
    """The function answers when the third beat has been heard."""
    beats: list[int] = []
    heard = threading.Event()

    class Slow(Scripted):
        def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
            assert heard.wait(30)
            return super().invoke(FunctionName, Payload)

    def beat() -> None:
        beats.append(len(beats))
        if len(beats) == 3:
            heard.set()

    slow = Slow(answered(b"1"))
    services = LambdaServices(lambda _: slow, {"a": "fn-a"}, lambda _: None, 0.001)  # type: ignore[arg-type,return-value]
    assert services.invoke("a", {}, 5, beat) == Returned("1")
    assert beats[:3] == [0, 1, 2]


def test_an_event_at_the_limit_of_lambda() -> None:
    event = {"x": "y" * (MAX_EVENT_BYTES - len('{"x":""}'))}
    result, client, _ = invoke(answered(b"1"), event=event)
    assert result == Returned("1")
    assert len(client.requests[0][1]) == MAX_EVENT_BYTES
    result, client, _ = invoke(event={"x": event["x"] + "y"})
    assert result == Raised(
        Failure("States.DataLimitExceeded", "its event is 6291457 bytes, and Lambda's limit is 6291456")
    )
    assert client.requests == []


def test_an_event_of_many_values_within_the_limit() -> None:
    """Outputs of nine tasks, each within its limit, that are all small numbers."""
    upstream = {f"t{i}": [0] * 131_000 for i in range(9)}
    assert invoke(answered(b"1"), event={"upstream": upstream})[0] == Returned("1")


def test_an_event_as_deep_as_a_payload_may_be() -> None:
    value: Any = 0
    for _ in range(payload.MAX_DEPTH):
        value = [value]
    assert invoke(answered(b"1"), event={"upstream": {"t": value}})[0] == Returned("1")
