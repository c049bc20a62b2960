"""The faults that the runtime of Python functions makes on purpose: the right ones, and as often as asked."""

from __future__ import annotations

import json
import random
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore import httpsession
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local.bootstrap import python_faults
from local.bootstrap.python_faults import API_FAULTS, Faults


class Died(BaseException):
    """In place of the end of the process."""


@pytest.fixture(autouse=True)
def mortal(monkeypatch: pytest.MonkeyPatch) -> None:
    def die(code: int) -> None:
        raise Died(code)

    monkeypatch.setattr("os._exit", die)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the requests that get through to AWS, which answers each with an empty object."""
    seen: list[str] = []

    def send(_session: Any, request: Any) -> AWSResponse:
        seen.append(request.url)
        headers: Any = {}
        return AWSResponse(request.url, 200, headers, SimpleNamespace(stream=lambda: [b"{}"]))

    monkeypatch.setattr(httpsession.URLLib3Session, "send", send)
    return seen


def client(service: str) -> Any:
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url="http://127.0.0.1:1",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )


class Chosen(random.Random):
    """Draws what a test wants to see."""

    def __init__(self, choice: Any) -> None:
        super().__init__(0)
        self._choice = choice

    def choice(self, seq: Any) -> Any:
        return self._choice


@pytest.mark.parametrize(
    ("fault", "error", "applied"),
    [
        ("throttled", "ThrottlingException", False),
        ("unsent", "EndpointConnectionError", False),
        ("lost", "ConnectionClosedError", True),
        ("broken", "IncompleteReadError", True),
    ],
)
def test_a_fault_of_a_call_looks_to_the_sdk_as_a_real_one(
    sent: list[str], fault: str, error: str, *, applied: bool
) -> None:
    Faults({"api": 1}, Chosen(fault)).disturb_sdk()

    with pytest.raises((ClientError, BotoCoreError)) as raised:
        client("dynamodb").list_tables()

    seen = raised.value
    assert (seen.response["Error"]["Code"] if isinstance(seen, ClientError) else type(seen).__name__) == error
    assert bool(sent) is applied


def test_lambda_throttles_under_a_name_of_its_own(sent: list[str]) -> None:
    Faults({"api": 1}, Chosen("throttled")).disturb_sdk()

    with pytest.raises(ClientError, match="TooManyRequestsException"):
        client("lambda").invoke(FunctionName="f")


def test_every_kind_of_fault_comes_and_about_as_often_as_asked(sent: list[str]) -> None:
    Faults({"api": 0.25}, random.Random(1)).disturb_sdk()
    table, errors = client("dynamodb"), []

    for _ in range(400):
        try:
            table.list_tables()
        except (ClientError, BotoCoreError) as error:
            errors.append(type(error).__name__)

    assert len(set(errors)) == len(API_FAULTS)
    assert 60 < len(errors) < 140


@pytest.mark.parametrize(("left", "handled"), [(0, 0), (1, 0), (5, 2), (float("inf"), 3)])
def test_a_process_dies_before_its_handler_at_a_call_or_at_the_end(sent: list[str], left: float, handled: int) -> None:
    done: list[int] = []
    faults = Faults({"exit": 1}, Chosen(left))
    faults.disturb_sdk()
    table = client("dynamodb")

    def handler(_event: Any, _context: Any) -> str:
        for number in range(3):
            table.list_tables()
            done.append(number)
        return "done"

    with pytest.raises(Died):
        faults.around(handler)({}, None)

    assert len(done) == handled


def test_a_process_dies_at_changes_and_not_at_reads(sent: list[str]) -> None:
    faults = Faults({"exit": 1}, Chosen(1))
    faults.disturb_sdk()
    table, key = client("dynamodb"), {"TableName": "t", "Key": {"pk": {"S": "a"}}}

    def handler(_event: Any, _context: Any) -> None:
        table.get_item(**key)
        table.get_item(**key)
        table.update_item(**key)

    with pytest.raises(Died):
        faults.around(handler)({}, None)

    assert len(sent) == 2


def test_an_invocation_that_is_spared_is_left_alone(sent: list[str]) -> None:
    faults = Faults({}, random.Random(1))
    faults.disturb_sdk()

    def handler(event: Any, _context: Any) -> Any:
        return event, client("dynamodb").list_tables()["ResponseMetadata"]["HTTPStatusCode"]

    assert [faults.around(handler)(number, None) for number in range(3)] == [(number, 200) for number in range(3)]
    assert len(sent) == 3


def test_an_environment_draws_by_its_number_and_the_seed(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    def fates(seed: int, name: str) -> list[float | None]:
        """Return what befalls the first invocations of the next environment of a function."""
        (tmp_path / name).mkdir(exist_ok=True)
        monkeypatch.setenv("TMPDIR", str(tmp_path / name))
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
        monkeypatch.setenv("ORCHESTRA_LOCAL_FAULTS", json.dumps({"seed": seed, "exit": 0.5}))
        made: list[Faults] = []
        monkeypatch.setattr(Faults, "disturb_sdk", lambda faults: made.append(faults))  # noqa: PLW0108 - a method
        python_faults.disturb(lambda event, context: None)
        return [made[0]._fate() for _ in range(50)]

    first, second, again, other = fates(7, "a"), fates(7, "a"), fates(7, "b"), fates(8, "c")

    assert first == again
    assert len({str(drawn) for drawn in (first, second, other)}) == 3
