"""AWS clients of the emulator."""

from __future__ import annotations

import os
import threading
from functools import cache
from typing import Any

import botocore.session
from botocore.config import Config

from local.server import ACCESS_KEY, ACCOUNT, SECRET_KEY, Emulator

# The emulator is on this machine: an error is an answer, so there is nothing to gain from a retry.
_CONFIG = Config(
    retries={"total_max_attempts": 1},
    connect_timeout=5,
    read_timeout=60,
    max_pool_connections=32,
    proxies={},  # and nothing on this machine is reached through the proxy that the environment may name
)
# The user's own profiles and settings are for the real AWS: they are not read.
_NO_USER_SETTINGS: dict[str, tuple[None, list[str], str | None, None]] = {
    "profile": (None, [], None, None),
    "config_file": (None, [], os.devnull, None),
    "credentials_file": (None, [], os.devnull, None),
}
_lock = threading.Lock()  # sessions are not safe to share while they make clients


@cache
def _session() -> botocore.session.Session:
    """Return the one session, which reads each service's description once; boto3 would take longer to import."""
    session = botocore.session.Session(_NO_USER_SETTINGS)
    session.set_credentials(ACCESS_KEY, SECRET_KEY)
    return session


class Aws:
    """The emulator as one region sees it. Safe to use from many threads."""

    account = ACCOUNT
    partition = "aws"

    def __init__(self, emulator: Emulator, region: str | None = None) -> None:
        self.emulator = emulator
        self.region = region or emulator.region
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        with _lock:
            if service not in self._clients:
                self._clients[service] = _session().create_client(
                    service, self.region, endpoint_url=self.emulator.endpoint_url, config=_CONFIG
                )
            return self._clients[service]

    def arn(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"
