"""Requests to the Orchestrator as Lambda invocations, and AWS's errors as one line with the way to mend each."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore import exceptions as aws
from botocore.config import Config

from cli.aws_errors import explain
from cli.errors import RemoteError
from orchestration.payload import Json

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

    from cli.client import Request, Send
    from cli.deployment import Target

# A request takes well under a second, some seconds when the function starts cold, and longer if it redrives many dead
# letters. Repeats are harmless (client.py).
_CONFIG = Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 3})
_MAX_REQUEST_BYTES = 6 * 1024 * 1024  # of one synchronous invocation


def sender(target: Target) -> Send:
    """Return a function that sends requests to the target's Orchestrator."""
    try:
        client = clients(target)("lambda")
    except (aws.BotoCoreError, ValueError) as exc:  # ValueError: an endpoint or region that is not one
        raise explain(exc, target) from None

    def send(request: Request) -> Json:
        body = json.dumps(request, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        if len(body) > _MAX_REQUEST_BYTES:
            raise RemoteError(f"the request is {len(body)} bytes, and Lambda's limit is {_MAX_REQUEST_BYTES}")
        return _invoke(client, target, body)

    return send


def clients(target: Target) -> Callable[[str], Any]:
    """Return what makes clients of the target's AWS, by the service's name."""
    if target.credentials is None:
        session = boto3.Session(region_name=target.region)
        return lambda service: session.client(service, config=_CONFIG)  # type: ignore[call-overload]
    # The local stack: whatever profile, configuration file or proxy this machine has is not for it.
    isolated = botocore.session.Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
    )
    access_key, secret_key = target.credentials
    local = boto3.Session(access_key, secret_key, region_name=target.region, botocore_session=isolated)
    config = _CONFIG.merge(Config(proxies={}))
    return lambda service: local.client(service, endpoint_url=target.endpoint_url, config=config)  # type: ignore[call-overload]


def _invoke(client: LambdaClient, target: Target, body: bytes) -> Json:
    try:
        response = client.invoke(FunctionName=target.orchestrator_arn, Payload=body)
        raw = response["Payload"].read()
    except (aws.BotoCoreError, aws.ClientError) as exc:
        raise explain(exc, target) from None
    try:
        answer = json.loads(raw)
    except ValueError:
        raise RemoteError(f"{target.orchestrator_arn} answered with something that is not JSON") from None
    if response.get("FunctionError"):
        raise _function_error(answer, target)
    return answer


def _function_error(answer: Json, target: Target) -> RemoteError:
    details = answer if isinstance(answer, dict) else {}
    name = details.get("errorType") or "an error"
    text = details.get("errorMessage") or "no message"
    return RemoteError(
        f"the Orchestrator failed with {name}: {text}; the log of the function {target.function_name} says where",
        passing=True,
    )
