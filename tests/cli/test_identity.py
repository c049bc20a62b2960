"""Who AWS takes the user for: asked of a loopback endpoint that answers as AWS does."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import identity
from cli.health import Check, broken, fine
from tests.cli.test_aws import lambda_endpoint

ME = "arn:aws:iam::123456789012:user/me"
XML = {"Content-Type": "text/xml"}
ANSWER = f"""<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>{ME}</Arn></GetCallerIdentityResult>
</GetCallerIdentityResponse>""".encode()
EXPIRED = b"""<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code><Message>The security token is expired
</Message></Error></ErrorResponse>"""


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user of whom this machine says nothing."""
    for name in ("PROFILE", "DEFAULT_PROFILE", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "REGION"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("CONFIG_FILE", "SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(f"AWS_{name}", str(tmp_path / name))


def log_in(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)


@pytest.mark.parametrize(("region", "where"), [("eu-central-1", "in eu-central-1"), ("", "no region set")])
def test_who_one_is(monkeypatch: pytest.MonkeyPatch, region: str, where: str) -> None:
    with lambda_endpoint((200, XML, ANSWER)) as endpoint:
        log_in(monkeypatch, endpoint.url)
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)
        found = identity.check()

    assert found == fine("AWS", f"{ME}, {where}")
    assert endpoint.requests[0][2].startswith(b"Action=GetCallerIdentity")


def test_nobody_is_told_to_log_in() -> None:
    log_in_again = "log in (aws sso login), or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    assert identity.check() == broken("AWS", "no AWS credentials found", log_in_again)


def test_credentials_that_have_expired_are_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    with lambda_endpoint((403, XML, EXPIRED)) as endpoint:
        log_in(monkeypatch, endpoint.url)
        found = identity.check()

    assert (found.name, found.state, found.mend) == ("AWS", "broken", "log in again, or check AWS_PROFILE")
    assert found.found.startswith("AWS does not accept these credentials (The security token is expired")


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1", "http://127.0.0.1:1 cannot be reached"),
        ("AWS_PROFILE", "nope", "The config profile (nope) could not be found"),
    ],
)
def test_what_keeps_one_from_asking_is_said(monkeypatch: pytest.MonkeyPatch, name: str, value: str, found: str) -> None:
    log_in(monkeypatch, "http://127.0.0.1:1")
    monkeypatch.setenv(name, value)

    said: Check = identity.check()

    assert (said.state, said.found.startswith(found), bool(said.mend)) == ("broken", True, True)
