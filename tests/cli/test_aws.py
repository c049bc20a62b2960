"""Lambda invocations on a loopback endpoint that answers as AWS does, and AWS's errors as lines."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore import exceptions as aws

from cli.aws import sender
from cli.aws_errors import explain
from cli.deployment import Target
from cli.errors import CliError, NoDeployment, RemoteError

ARN = "arn:aws:lambda:eu-central-1:123456789012:function:orchestrator"
HERE = Target(ARN, "eu-central-1", "http://127.0.0.1:1", ("key", "secret"))
AWAY = Target(ARN, "eu-central-1")


@dataclass
class Lambda:
    """Answers each request with the next of `answers`: (status, headers, body)."""

    answers: list[tuple[int, dict[str, str], bytes]]
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""


@contextmanager
def lambda_endpoint(*answers: tuple[int, dict[str, str], bytes]) -> Iterator[Lambda]:
    fake = Lambda(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            fake.requests.append((self.path, dict(self.headers), body))
            status, headers, answer = fake.answers.pop(0)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(answer))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def failure(status: int, code: str, message: str) -> tuple[int, dict[str, str], bytes]:
    return status, {"X-Amzn-ErrorType": code}, json.dumps({"Message": message}).encode()


def ask(fake: Lambda, request: Any) -> Any:
    return sender(Target(ARN, "eu-central-1", fake.url, ("key", "secret")))(request)


def test_a_request_is_one_invocation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "not-there")  # the machine's own settings are not for the local stack
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with lambda_endpoint((200, {}, '{"output": "é"}'.encode())) as fake:
        assert ask(fake, {"action": "x", "input": "é\n"}) == {"output": "é"}
    (path, headers, body), *others = fake.requests
    assert others == []
    assert path == f"/2015-03-31/functions/{ARN.replace(':', '%3A')}/invocations"
    assert "Credential=key/" in headers["Authorization"]
    assert body == '{"action":"x","input":"é\\n"}'.encode()


def test_the_users_own_endpoint_and_credentials_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with lambda_endpoint((200, {}, b"1")) as fake:
        monkeypatch.setenv("AWS_ENDPOINT_URL", fake.url)
        assert sender(AWAY)({"action": "x"}) == 1
    assert "Credential=mine/" in fake.requests[0][1]["Authorization"]


def test_a_lost_request_is_sent_again() -> None:
    with lambda_endpoint(failure(500, "ServiceException", "oops"), (200, {}, b"1")) as fake:
        assert ask(fake, {"action": "x"}) == 1
    assert [body for _, _, body in fake.requests] == [b'{"action":"x"}'] * 2


@pytest.mark.parametrize(
    ("answer", "message", "passing"),
    [
        (
            (200, {"X-Amz-Function-Error": "Unhandled"}, b'{"errorType": "KeyError", "errorMessage": "\'TABLE\'"}'),
            "the Orchestrator failed with KeyError: 'TABLE'; the log of the function orchestrator says where",
            True,
        ),
        (
            (200, {"X-Amz-Function-Error": "Unhandled"}, b"null"),
            "the Orchestrator failed with an error: no message; the log of the function orchestrator says where",
            True,
        ),
        ((200, {}, b"<html>"), f"{ARN} answered with something that is not JSON", False),
        (
            failure(403, "AccessDeniedException", "User x is not authorized"),
            f"AWS denied access: User x is not authorized; ask for lambda:InvokeFunction on {ARN}",
            False,
        ),
        (failure(400, "Odd", "what"), "AWS answered Odd: what", False),
    ],
)
def test_an_answer_that_is_none_is_one_line(
    answer: tuple[int, dict[str, str], bytes], message: str, *, passing: bool
) -> None:
    with lambda_endpoint(answer) as fake, pytest.raises(RemoteError) as failed:
        ask(fake, {"action": "x"})
    assert (str(failed.value), failed.value.passing) == (message, passing)


def test_an_endpoint_that_is_not_there_is_named() -> None:
    with lambda_endpoint() as fake:
        pass
    with pytest.raises(RemoteError) as failed:
        ask(fake, {"action": "x"})
    assert failed.value.passing
    assert str(failed.value) == (
        f'{fake.url} cannot be reached (Could not connect to the endpoint URL: "{fake.url}/2015-03-31/functions/'
        f'{ARN.replace(":", "%3A")}/invocations"); start the stack again: orchestra local up'
    )


@pytest.mark.parametrize(
    ("env", "target", "message"),
    [
        (
            {"AWS_PROFILE": "not-there"},
            AWAY,
            "The config profile (not-there) could not be found; check AWS_PROFILE and ~/.aws/config",
        ),
        ({}, Target("orchestrator", None), "no AWS region is known; give --region, or set AWS_DEFAULT_REGION"),
        ({"AWS_ENDPOINT_URL": "nonsense"}, AWAY, "Invalid endpoint: nonsense; check --region and AWS_ENDPOINT_URL"),
    ],
)
def test_what_the_users_settings_lack_is_said_before_anything_is_sent(
    env: dict[str, str], target: Target, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(NoDeployment) as refused:
        sender(target)
    assert str(refused.value) == message


def client_error(code: str, status: int = 400) -> aws.ClientError:
    response: Any = {"Error": {"Code": code, "Message": "said"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return aws.ClientError(response, "Invoke")


UNREACHABLE = "Lambda in eu-central-1 cannot be reached"
LOGIN = "log in (aws sso login), or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"


@pytest.mark.parametrize(
    ("exc", "target", "kind", "message"),
    [
        (aws.NoCredentialsError(), AWAY, NoDeployment, f"no AWS credentials found; {LOGIN}"),
        (
            aws.UnauthorizedSSOTokenError(),
            AWAY,
            NoDeployment,
            f"the AWS credentials cannot be used ({aws.UnauthorizedSSOTokenError()}); log in again: aws sso login",
        ),
        (
            aws.ReadTimeoutError(endpoint_url="https://x"),
            AWAY,
            RemoteError,
            f'{UNREACHABLE} (Read timeout on endpoint URL: "https://x"); check the network, region and endpoint',
        ),
        (
            aws.DataNotFoundError(data_path="x"),
            AWAY,
            RemoteError,
            "the request to Lambda in eu-central-1 failed: Unable to load data for: x",
        ),
        (
            client_error("ExpiredTokenException"),
            AWAY,
            RemoteError,
            "AWS does not accept these credentials (said); log in again, or check AWS_PROFILE",
        ),
        (
            client_error("ResourceNotFoundException"),
            AWAY,
            NoDeployment,
            f"there is no function {ARN}; try: pulumi up, or check the ARN, the region and the account",
        ),
        (
            client_error("ResourceNotFoundException"),
            HERE,
            NoDeployment,
            f"there is no function {ARN}; try: orchestra local up",
        ),
        (
            client_error("TooManyRequestsException", 429),
            AWAY,
            RemoteError,
            "AWS throttles the Orchestrator (said); try again later, or raise its concurrency",
        ),
        (client_error("ServiceException", 500), AWAY, RemoteError, "AWS answered ServiceException: said"),
    ],
)
def test_each_error_says_how_to_mend_it(exc: Exception, target: Target, kind: type[CliError], message: str) -> None:
    explained = explain(exc, target)
    assert (type(explained), str(explained)) == (kind, message)
