"""What a function is told by its environment, checked once when it starts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from orchestration import payload
from orchestration.errors import OrchestraError
from orchestration.timing import Timing

MAX_WAIT_S = 3600
LOG_GROUPS = "/aws/vendedlogs/states"
"""What the log group of each state machine is named under: of other groups each would be written into the account's
resource policy of CloudWatch Logs, which holds 5120 characters.
Source: docs.aws.amazon.com/step-functions/latest/dg/bp-cwl.html (2026)."""

MachineType: TypeAlias = Literal["STANDARD", "EXPRESS"]
FlowType: TypeAlias = MachineType | Literal["NONE"]
"""That of all state machines; NONE: there are none."""


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


@dataclass(frozen=True)
class Registration:
    """What the state machines of registered workflows are made with."""

    role_arn: str
    log_group_arn: str


@dataclass(frozen=True)
class FlowSettings:
    """Where the state machines are: that of the workflow W has the ARN `<machines>W`."""

    machines: str
    functions: str  # what the ARN of each function begins with
    prefix: str  # what the name of each machine begins with
    type: FlowType
    registration: Registration | None = None  # None: none but those of declared workflows

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> FlowSettings:
        """Return the settings. Raises OrchestraError, naming the variable, if one is missing or malformed."""
        role_arn = environment.get("FLOW_ROLE_ARN")
        return cls(
            machines=_required(environment, "STATE_MACHINE_ARN_PREFIX"),
            functions=_required(environment, "FUNCTION_ARN_PREFIX"),
            prefix=_required(environment, "FLOW_PREFIX"),
            type=_flow_type(_required(environment, "FLOW_TYPE")),
            registration=Registration(role_arn, _required(environment, "FLOW_LOG_GROUP_ARN")) if role_arn else None,
        )

    def log_group(self, workflow: str, *, declared: bool) -> str:
        """Return the name of the log group of a workflow's machine: those that are registered have one in common."""
        if declared or self.registration is None:
            return f"{LOG_GROUPS}/{self.prefix}{workflow}"
        return self.registration.log_group_arn.partition(":log-group:")[2].removesuffix(":*")


def _flow_type(text: str) -> FlowType:
    match text:
        case "STANDARD" | "EXPRESS" | "NONE":
            return text
    raise OrchestraError(f"FLOW_TYPE: must be STANDARD, EXPRESS or NONE, not {text[:40]!r}")


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
