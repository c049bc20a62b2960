"""What the program may look up instead of making it: the account, the region and the registry's login."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from local.pulumi_runtime import secret
from local.server import ACCOUNT

_Values = Mapping[str, Any]


def _caller(_region: str) -> _Values:
    return {"accountId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:root", "userId": ACCOUNT, "id": ACCOUNT}


def _region(region: str) -> _Values:
    endpoint = f"ec2.{region}.amazonaws.com"
    return {"region": region, "name": region, "id": region, "description": region, "endpoint": endpoint}


def _partition(_region: str) -> _Values:
    return {"partition": "aws", "dnsSuffix": "amazonaws.com", "id": "aws", "reverseDnsPrefix": "com.amazonaws"}


def _registry_login(region: str) -> _Values:
    """Nothing is pushed anywhere, so nothing has to be secret; it is marked as a secret as the real one is."""
    return {
        "authorizationToken": secret("local"),
        "userName": "AWS",
        "password": secret("local"),
        "proxyEndpoint": f"https://{ACCOUNT}.dkr.ecr.{region}.amazonaws.com",
        "expiresAt": "2099-01-01T00:00:00Z",
        "id": region,
    }


LOOKUPS: Mapping[str, Callable[[str], _Values]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": _caller,
    "aws:index/getRegion:getRegion": _region,
    "aws:index/getPartition:getPartition": _partition,
    "aws:ecr/getAuthorizationToken:getAuthorizationToken": _registry_login,
}
