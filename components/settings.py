"""The stack's settings, checked once: Pulumi.yaml declares each, with its type, default and description."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypedDict

import pulumi

from components.errors import ProgramError
from orchestration.timing import Timing

ARCHITECTURES = ("arm64", "x86_64")
LOG_LEVELS = ("DEBUG", "INFO", "WARN", "ERROR")

# What CloudWatch Logs accepts. Source: its API reference, PutRetentionPolicy (2026).
RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)

CONCURRENCY = range(2, 1001)
GRACE_S = range(5, 3601)
LEASE_SLACK_S = range(5, 301)
FLOW_TYPES = ("STANDARD", "EXPRESS")
NO_FLOWS = "NONE"


class FunctionDefaults(TypedDict):
    """What all functions of a stack have in common."""

    account_id: pulumi.Input[str]
    architecture: str
    log_level: str
    log_retention_days: int


class AlarmThresholds(TypedDict):
    """What is too much: an alarm rings above it, and not at it."""

    runs_failed: int
    """Runs of either engine that fail within 5 minutes."""

    task_failures: int
    """Attempts of one service that fail within 5 minutes, those that are tried again included."""

    stream_age_s: int
    """How far the Orchestrator is behind the table's stream, for 5 minutes."""

    queue_age_s: int
    """The age of the oldest message of READY tasks. One is delayed for up to 15 minutes, and worked on for as long."""

    stuck_minutes: int
    """For how long a run has been due that the Sweeper does not get to, or fails in."""


# By the setting's own key: its default, and what it may be.
THRESHOLDS: Mapping[str, tuple[int, range]] = {
    "runsFailed": (0, range(1_000_001)),
    "taskFailures": (5, range(1_000_001)),
    "streamAgeSeconds": (60, range(1, 86_401)),
    "queueAgeSeconds": (1800, range(1, 1_209_601)),
    "stuckMinutes": (10, range(2, 1441)),  # the Sweeper comes once a minute
}

# Enough to refuse what is none. What is one, only the confirmation can tell that SNS sends.
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Raises ProgramError, naming the key, for a value that no deploy could use."""

    probe_service: bool = False
    log_retention_days: int = 30
    log_level: str = "INFO"
    architecture: str = "arm64"
    protect_data: bool = False
    max_workers: int = 0  # 0 is no limit of its own
    grace_s: int = Timing.grace_s
    lease_slack_s: int = Timing.lease_slack_s
    flow_type: str = "STANDARD"
    register_flows: bool = False
    container_images: Mapping[str, str] = field(default_factory=dict)
    monitoring: bool = True
    alarm_email: str = ""  # nobody
    alarm_thresholds: Mapping[str, int] = field(default_factory=dict)  # those that are not as they are by default

    def __post_init__(self) -> None:
        _require("logRetentionDays", self.log_retention_days, RETENTION_DAYS)
        _require("logLevel", self.log_level, LOG_LEVELS)
        _require("architecture", self.architecture, ARCHITECTURES)
        if self.max_workers and self.max_workers not in CONCURRENCY:
            raise _error(
                "workerMaximumConcurrency",
                f"is {self.max_workers}, and must be 0 (no limit) or from 2 to 1000",
            )
        _require_within("graceSeconds", self.grace_s, GRACE_S)
        _require_within("leaseSlackSeconds", self.lease_slack_s, LEASE_SLACK_S)
        _require("flowType", self.flow_type, (*FLOW_TYPES, NO_FLOWS))
        if self.register_flows and not self.flows:
            raise _error("registerFlows", "is true, and flowType is NONE; say which type the state machines shall have")
        for service, uri in self.container_images.items():
            if not isinstance(uri, str) or not uri:
                raise _error("containerImages", f"gives {service!r} {uri!r}, and an image URI is a string")
        if self.alarm_email and not EMAIL.fullmatch(self.alarm_email):
            raise _error("alarmEmail", f"is {self.alarm_email!r}, and must be an e-mail address")
        for key, value in self.alarm_thresholds.items():
            _require("alarmThresholds", key, THRESHOLDS.keys())
            if type(value) is not int:
                raise _error(f"alarmThresholds.{key}", f"is {value!r}, and must be a whole number")
            _require_within(f"alarmThresholds.{key}", value, THRESHOLDS[key][1])

    @classmethod
    def from_config(cls, config: pulumi.Config) -> Self:
        """Return the settings of the running stack. A key that the stack does not set has its default."""
        return cls(
            probe_service=_boolean(config, "probeService", default=cls.probe_service),
            log_retention_days=_integer(config, "logRetentionDays", cls.log_retention_days),
            log_level=config.get("logLevel") or cls.log_level,
            architecture=config.get("architecture") or cls.architecture,
            protect_data=_boolean(config, "protectData", default=cls.protect_data),
            max_workers=_integer(config, "workerMaximumConcurrency", cls.max_workers),
            grace_s=_integer(config, "graceSeconds", cls.grace_s),
            lease_slack_s=_integer(config, "leaseSlackSeconds", cls.lease_slack_s),
            flow_type=config.get("flowType") or cls.flow_type,
            register_flows=_boolean(config, "registerFlows", default=cls.register_flows),
            container_images=_object(config, "containerImages", "{b3: <image URI>}"),
            monitoring=_boolean(config, "monitoring", default=cls.monitoring),
            alarm_email=config.get("alarmEmail") or cls.alarm_email,
            alarm_thresholds=_object(config, "alarmThresholds", "{runsFailed: 5}"),
        )

    @property
    def flows(self) -> bool:
        """Whether workflows are state machines too."""
        return self.flow_type != NO_FLOWS

    def function_defaults(self, account_id: pulumi.Input[str]) -> FunctionDefaults:
        return {
            "account_id": account_id,
            "architecture": self.architecture,
            "log_level": self.log_level,
            "log_retention_days": self.log_retention_days,
        }

    @property
    def thresholds(self) -> AlarmThresholds:
        limits = {key: self.alarm_thresholds.get(key, default) for key, (default, _) in THRESHOLDS.items()}
        return {
            "runs_failed": limits["runsFailed"],
            "task_failures": limits["taskFailures"],
            "stream_age_s": limits["streamAgeSeconds"],
            "queue_age_s": limits["queueAgeSeconds"],
            "stuck_minutes": limits["stuckMinutes"],
        }

    def images_of(self, services: Collection[str]) -> dict[str, str | None]:
        """Return the image that each service runs instead of one that is built, or None."""
        if unknown := sorted(set(self.container_images) - set(services)):
            raise _error("containerImages", f"names {unknown[0]!r}; the services are {', '.join(services)}")
        return {service: self.container_images.get(service) for service in services}


def _boolean(config: pulumi.Config, key: str, *, default: bool) -> bool:
    text = config.get(key)
    if text is None:
        return default
    if text.lower() not in ("true", "false"):
        raise _error(key, f"is {text!r}, and must be true or false")
    return text.lower() == "true"


def _integer(config: pulumi.Config, key: str, default: int) -> int:
    text = config.get(key)
    if text is None:
        return default
    try:
        return int(text)
    except ValueError:
        raise _error(key, f"is {text!r}, and must be a whole number") from None


def _object(config: pulumi.Config, key: str, example: str) -> dict[str, Any]:
    text = config.get(key)
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise _error(key, f"is {text!r}, and must be an object, such as {example}")
    return value


def _require(key: str, value: object, allowed: Collection[object]) -> None:
    if value not in allowed:
        raise _error(key, f"is {value!r}, and must be one of {', '.join(str(item) for item in allowed)}")


def _require_within(key: str, value: int, allowed: range) -> None:
    if value not in allowed:
        raise _error(key, f"is {value}, and must be from {allowed[0]} to {allowed[-1]}")


def _error(key: str, problem: str) -> ProgramError:
    return ProgramError(f"orchestra:{key} {problem}")
