from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws.sqs as sqs
import pytest
import yaml

from components.errors import ProgramError
from components.settings import RETENTION_DAYS, THRESHOLDS, Settings
from tests.snapshot import snapshot

ROOT = Path(__file__).parents[2]


def read(**config: str) -> Settings:
    """Return the settings as a program with this configuration reads them."""
    found: list[Settings] = []

    def program() -> None:
        sqs.Queue("any")
        found.append(Settings.from_config(pulumi.Config()))

    snapshot(program, config)
    return found[0]


def project() -> dict[str, Any]:
    value: dict[str, Any] = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    return value


def test_a_stack_that_sets_nothing_has_the_defaults() -> None:
    assert read() == Settings(
        probe_service=False,
        log_retention_days=30,
        log_level="INFO",
        architecture="arm64",
        protect_data=False,
        max_workers=0,
        grace_s=120,
        lease_slack_s=30,
        flow_type="STANDARD",
        register_flows=False,
        container_images={},
        monitoring=True,
        alarm_email="",
        alarm_thresholds={},
    )


def test_every_setting_is_read() -> None:
    assert read(
        probeService="true",
        logRetentionDays="7",
        logLevel="DEBUG",
        architecture="x86_64",
        protectData="true",
        workerMaximumConcurrency="5",
        graceSeconds="60",
        leaseSlackSeconds="10",
        flowType="EXPRESS",
        registerFlows="true",
        containerImages='{"b3": "registry/b3@sha256:0"}',
        monitoring="false",
        alarmEmail="ops@example.com",
        alarmThresholds='{"runsFailed": 5, "stuckMinutes": 30}',
    ) == Settings(
        probe_service=True,
        log_retention_days=7,
        log_level="DEBUG",
        architecture="x86_64",
        protect_data=True,
        max_workers=5,
        grace_s=60,
        lease_slack_s=10,
        flow_type="EXPRESS",
        register_flows=True,
        container_images={"b3": "registry/b3@sha256:0"},
        monitoring=False,
        alarm_email="ops@example.com",
        alarm_thresholds={"runsFailed": 5, "stuckMinutes": 30},
    )


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("probeService", "yes", "orchestra:probeService is 'yes', and must be true or false"),
        ("protectData", "1", "orchestra:protectData is '1', and must be true or false"),
        ("logLevel", "LOUD", "orchestra:logLevel is 'LOUD', and must be one of DEBUG, INFO, WARN, ERROR"),
        ("architecture", "arm", "orchestra:architecture is 'arm', and must be one of arm64, x86_64"),
        ("logRetentionDays", "x", "orchestra:logRetentionDays is 'x', and must be a whole number"),
        (
            "logRetentionDays",
            "2",
            f"orchestra:logRetentionDays is 2, and must be one of {', '.join(map(str, RETENTION_DAYS))}",
        ),
        (
            "workerMaximumConcurrency",
            "1",
            "orchestra:workerMaximumConcurrency is 1, and must be 0 (no limit) or from 2 to 1000",
        ),
        (
            "workerMaximumConcurrency",
            "1001",
            "orchestra:workerMaximumConcurrency is 1001, and must be 0 (no limit) or from 2 to 1000",
        ),
        ("graceSeconds", "4", "orchestra:graceSeconds is 4, and must be from 5 to 3600"),
        ("graceSeconds", "3601", "orchestra:graceSeconds is 3601, and must be from 5 to 3600"),
        ("graceSeconds", "1m", "orchestra:graceSeconds is '1m', and must be a whole number"),
        ("leaseSlackSeconds", "4", "orchestra:leaseSlackSeconds is 4, and must be from 5 to 300"),
        ("leaseSlackSeconds", "301", "orchestra:leaseSlackSeconds is 301, and must be from 5 to 300"),
        ("flowType", "express", "orchestra:flowType is 'express', and must be one of STANDARD, EXPRESS, NONE"),
        ("registerFlows", "on", "orchestra:registerFlows is 'on', and must be true or false"),
        (
            "containerImages",
            "b3",
            "orchestra:containerImages is 'b3', and must be an object, such as {b3: <image URI>}",
        ),
        ("containerImages", '{"b3": 3}', "orchestra:containerImages gives 'b3' 3, and an image URI is a string"),
        ("monitoring", "on", "orchestra:monitoring is 'on', and must be true or false"),
        ("alarmEmail", "ops", "orchestra:alarmEmail is 'ops', and must be an e-mail address"),
        ("alarmEmail", "a@b@c.d", "orchestra:alarmEmail is 'a@b@c.d', and must be an e-mail address"),
        (
            "alarmThresholds",
            "5",
            "orchestra:alarmThresholds is '5', and must be an object, such as {runsFailed: 5}",
        ),
        (
            "alarmThresholds",
            '{"runs": 5}',
            f"orchestra:alarmThresholds is 'runs', and must be one of {', '.join(THRESHOLDS)}",
        ),
        (
            "alarmThresholds",
            '{"runsFailed": "5"}',
            "orchestra:alarmThresholds.runsFailed is '5', and must be a whole number",
        ),
        (
            "alarmThresholds",
            '{"runsFailed": true}',
            "orchestra:alarmThresholds.runsFailed is True, and must be a whole number",
        ),
        (
            "alarmThresholds",
            '{"stuckMinutes": 1}',
            "orchestra:alarmThresholds.stuckMinutes is 1, and must be from 2 to 1440",
        ),
    ],
)
def test_a_bad_value_is_refused_in_one_line_that_names_the_key(key: str, value: str, message: str) -> None:
    with pytest.raises(ProgramError) as refused:
        read(**{key: value})
    assert str(refused.value) == message


def test_pulumi_shows_the_message_alone() -> None:
    assert issubclass(ProgramError, pulumi.RunError)  # other errors are shown with their traceback


@pytest.mark.parametrize(("text", "value"), [("true", True), ("True", True), ("false", False), ("False", False)])
def test_a_boolean_is_what_it_says(text: str, value: bool) -> None:  # noqa: FBT001
    assert (read(probeService=text).probe_service, read(protectData=text).protect_data) == (value, value)


@pytest.mark.parametrize("workers", [0, 2, 1000])
def test_the_bounds_of_the_number_of_workers_are_allowed(workers: int) -> None:
    assert Settings(max_workers=workers).max_workers == workers


@pytest.mark.parametrize(("grace_s", "lease_slack_s"), [(5, 5), (3600, 300)])
def test_the_bounds_of_the_waits_are_allowed(grace_s: int, lease_slack_s: int) -> None:
    settings = Settings(grace_s=grace_s, lease_slack_s=lease_slack_s)
    assert (settings.grace_s, settings.lease_slack_s) == (grace_s, lease_slack_s)


def test_an_image_for_a_service_that_is_not_deployed_is_refused() -> None:
    settings = Settings(container_images={"b3": "registry/b3"})
    assert settings.images_of(["a", "b3"]) == {"a": None, "b3": "registry/b3"}
    with pytest.raises(ProgramError) as refused:
        settings.images_of(["a", "c"])
    assert str(refused.value) == "orchestra:containerImages names 'b3'; the services are a, c"


def test_every_threshold_reaches_a_field_of_its_own() -> None:
    values = {key: number + 100 for number, key in enumerate(THRESHOLDS)}
    assert list(Settings(alarm_thresholds=values).thresholds.values()) == [100, 101, 102, 103, 104]


def test_a_threshold_that_is_not_set_has_its_default() -> None:
    assert Settings(alarm_thresholds={"runsFailed": 5}).thresholds == {**Settings().thresholds, "runs_failed": 5}


def test_the_thresholds_and_their_defaults_are_described_where_they_are_set() -> None:
    description = project()["config"]["alarmThresholds"]["description"]
    assert re.findall(r"(\w+) \((\d+)", description) == [
        (key, str(default)) for key, (default, _) in THRESHOLDS.items()
    ]


def test_pulumi_yaml_declares_each_setting_with_the_default_that_the_program_has() -> None:
    declared = project()["config"]
    fields = [*dataclasses.fields(Settings)]
    assert len(declared) == len(fields)
    assert {key: entry["default"] for key, entry in declared.items()} == {
        "probeService": Settings().probe_service,
        "logRetentionDays": Settings().log_retention_days,
        "logLevel": Settings().log_level,
        "architecture": Settings().architecture,
        "protectData": Settings().protect_data,
        "workerMaximumConcurrency": Settings().max_workers,
        "graceSeconds": Settings().grace_s,
        "leaseSlackSeconds": Settings().lease_slack_s,
        "flowType": Settings().flow_type,
        "registerFlows": Settings().register_flows,
        "containerImages": Settings().container_images,
        "monitoring": Settings().monitoring,
        "alarmEmail": Settings().alarm_email,
        "alarmThresholds": Settings().alarm_thresholds,
    }
    types = {"boolean": bool, "integer": int, "string": str, "object": dict}
    for key, entry in declared.items():
        assert sorted(entry) == ["default", "description", "type"], key
        assert type(entry["default"]) is types[entry["type"]], key


@pytest.mark.parametrize("stack", ["dev", "local"])
def test_a_stack_sets_only_what_is_declared(stack: str) -> None:
    config: dict[str, Any] = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    own = {key.removeprefix("orchestra:") for key in config if key.startswith("orchestra:")}
    assert own
    assert own <= set(project()["config"])
    assert config["aws:region"] == "us-east-1"


def test_a_stack_registers_state_machines_only_if_it_says_so() -> None:
    allowed = {
        stack: yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"].get("orchestra:registerFlows")
        for stack in ("dev", "local")
    }
    assert allowed == {"dev": None, "local": True}


def test_what_an_express_flow_does_not_promise_is_said_where_it_is_chosen() -> None:
    description = project()["config"]["flowType"]["description"]
    assert all(word in description for word in ("at least once", "5 minutes", "cannot be asked for", "log"))


def test_the_program_runs_in_the_environment_that_make_setup_makes() -> None:
    assert project()["runtime"] == {
        "name": "python",
        "options": {"toolchain": "pip", "virtualenv": ".venv"},
    }
