"""Who AWS takes the user for, which says whether the credentials can be used at all."""

from __future__ import annotations

import boto3
from botocore import exceptions as aws
from botocore.config import Config

from cli.aws_errors import explain
from cli.deployment import Target
from cli.health import Check, broken, fine

_CONFIG = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 2})
_ANY_REGION = "us-east-1"
"""Where to ask if no region is set: the answer is the same in each."""


def check() -> Check:
    """Ask AWS. Anyone may: the request needs no permission."""
    region, endpoint = None, "AWS STS"
    try:
        session = boto3.Session()
        region = session.region_name
        client = session.client("sts", region_name=region or _ANY_REGION, config=_CONFIG)
        endpoint = client.meta.endpoint_url
        who = client.get_caller_identity()["Arn"]
    except (aws.BotoCoreError, aws.ClientError, ValueError) as exc:
        # Each of its lines says what is wrong, and after a semicolon how to mend it.
        found, _, mend = str(explain(exc, Target("", region, endpoint_url=endpoint))).partition("; ")
        return broken("AWS", found, mend)
    return fine("AWS", f"{who}, {f'in {region}' if region else 'no region set'}")
