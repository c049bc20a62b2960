"""What a function is told by its environment, checked once when it starts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestration import payload
from orchestration.errors import OrchestraError
from orchestration.timing import Timing

MAX_WAIT_S = 3600


@dataclass(frozen=True)
class Settings:
    table: str
    queue_url: str
    functions: Mapping[str, str]  # the Lambda function of each service
    dead_letters_url: str | None = None
    failed_records_url: str | None = None
    timing: Timing = field(default_factory=Timing)

    @classmethod
    def read(cls, environment: Mapping[str, str], *needed: str) -> Settings:
        """Return the settings. Raises OrchestraError, naming the variable, if one is missing or malformed.

        `needed` are those that not every function has.
        """
        for name in needed:
            _required(environment, name)
        functions = payload.parse(_required(environment, "SERVICES"), what="SERVICES")
        if not isinstance(functions, dict) or not all(isinstance(name, str) for name in functions.values()):
            raise OrchestraError("SERVICES: must be a JSON object of function names by service")
        return cls(
            table=_required(environment, "TABLE_NAME"),
            queue_url=_required(environment, "QUEUE_URL"),
            functions=functions,
            dead_letters_url=environment.get("DEAD_LETTERS_URL"),
            failed_records_url=environment.get("FAILED_RECORDS_URL"),
            timing=Timing(
                grace_s=_seconds(environment, "GRACE_S", Timing.grace_s),
                lease_slack_s=_seconds(environment, "LEASE_SLACK_S", Timing.lease_slack_s),
            ),
        )


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    if not value:
        raise OrchestraError(f"{name}: this environment variable is not set")
    return value


def _seconds(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name)
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_WAIT_S:
        raise OrchestraError(f"{name}: must be a whole number of seconds from 1 to {MAX_WAIT_S}, not {text[:40]!r}")
    return int(text)
