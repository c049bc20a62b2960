"""What the environment must say, and the line that names what it does not."""

from __future__ import annotations

import pytest

from orchestration.errors import OrchestraError
from orchestration.settings import FlowSettings, Registration, Settings
from orchestration.timing import Timing

WHOLE = {"TABLE_NAME": "table", "QUEUE_URL": "https://queue", "SERVICES": '{"a":"fn-a","b":"fn-b"}', "OTHER": "x"}


def test_settings() -> None:
    assert Settings.read(WHOLE) == Settings("table", "https://queue", {"a": "fn-a", "b": "fn-b"})
    assert Settings.read({**WHOLE, "SERVICES": "{}"}).functions == {}


def test_settings_that_not_every_function_has() -> None:
    more = {"DEAD_LETTERS_URL": "https://d", "FAILED_RECORDS_URL": "https://f", "GRACE_S": "10", "LEASE_SLACK_S": "7"}
    read = Settings.read({**WHOLE, **more}, "DEAD_LETTERS_URL", "FAILED_RECORDS_URL")
    assert (read.dead_letters_url, read.failed_records_url) == ("https://d", "https://f")
    assert read.timing == Timing(grace_s=10, lease_slack_s=7)
    assert Settings.read({**WHOLE, "GRACE_S": "", "LEASE_SLACK_S": "3600"}).timing == Timing(lease_slack_s=3600)


@pytest.mark.parametrize("name", ["DEAD_LETTERS_URL", "FAILED_RECORDS_URL"])
def test_what_a_function_needs_and_has_not(name: str) -> None:
    with pytest.raises(OrchestraError) as error:
        Settings.read(WHOLE, name)
    assert str(error.value) == f"{name}: this environment variable is not set"


@pytest.mark.parametrize("name", ["GRACE_S", "LEASE_SLACK_S"])
@pytest.mark.parametrize("value", ["0", "-1", "3601", "1.5", "1e3", " 5", "\u0663", "10s", "9" * 50])
def test_a_time_that_is_malformed(name: str, value: str) -> None:
    with pytest.raises(OrchestraError) as error:
        Settings.read({**WHOLE, name: value})
    assert str(error.value) == f"{name}: must be a whole number of seconds from 1 to 3600, not {value[:40]!r}"


@pytest.mark.parametrize("name", ["TABLE_NAME", "QUEUE_URL", "SERVICES"])
@pytest.mark.parametrize("value", [None, ""])
def test_what_is_not_set(name: str, value: str | None) -> None:
    environment = {key: text for key, text in WHOLE.items() if key != name}
    if value is not None:
        environment[name] = value
    with pytest.raises(OrchestraError) as error:
        Settings.read(environment)
    assert str(error.value) == f"{name}: this environment variable is not set"


@pytest.mark.parametrize(
    ("services", "line"),
    [
        ("[]", "SERVICES: must be a JSON object of function names by service"),
        ('{"a":1}', "SERVICES: must be a JSON object of function names by service"),
        ('{"a":"x","a":"y"}', "SERVICES: is not JSON (the key 'a' is there twice)"),
        ("a=b", "SERVICES: is not JSON (Expecting value: line 1 column 1 (char 0))"),
    ],
)
def test_services_that_are_malformed(services: str, line: str) -> None:
    with pytest.raises(OrchestraError) as error:
        Settings.read({**WHOLE, "SERVICES": services})
    assert str(error.value) == line


FLOWS = {
    "STATE_MACHINE_ARN_PREFIX": "arn:machines:orchestra-dev-",
    "FUNCTION_ARN_PREFIX": "arn:functions:",
    "FLOW_PREFIX": "orchestra-dev-",
    "FLOW_TYPE": "STANDARD",
}
GROUP = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/vendedlogs/states/orchestra-dev/registered"
REGISTRATION = {"FLOW_ROLE_ARN": "arn:role", "FLOW_LOG_GROUP_ARN": GROUP}


def test_settings_of_flows() -> None:
    plain = FlowSettings("arn:machines:orchestra-dev-", "arn:functions:", "orchestra-dev-", "STANDARD")
    assert FlowSettings.read({**FLOWS, "OTHER": "x"}) == plain
    assert FlowSettings.read({**FLOWS, "FLOW_TYPE": "EXPRESS"}).type == "EXPRESS"
    assert FlowSettings.read({**FLOWS, **REGISTRATION}).registration == Registration("arn:role", GROUP)


@pytest.mark.parametrize("name", [*FLOWS, "FLOW_LOG_GROUP_ARN"])
@pytest.mark.parametrize("value", [None, ""])
def test_what_is_not_set_of_flows(name: str, value: str | None) -> None:
    environment = {key: text for key, text in {**FLOWS, **REGISTRATION}.items() if key != name}
    if value is not None:
        environment[name] = value
    with pytest.raises(OrchestraError) as error:
        FlowSettings.read(environment)
    assert str(error.value) == f"{name}: this environment variable is not set"


@pytest.mark.parametrize("value", ["standard", "EXPRESS ", "x" * 50])
def test_a_type_of_flows_that_there_is_not(value: str) -> None:
    with pytest.raises(OrchestraError) as error:
        FlowSettings.read({**FLOWS, "FLOW_TYPE": value})
    assert str(error.value) == f"FLOW_TYPE: must be STANDARD, EXPRESS or NONE, not {value[:40]!r}"


@pytest.mark.parametrize("suffix", ["", ":*"])
def test_log_groups_of_flows(suffix: str) -> None:
    settings = FlowSettings.read({**FLOWS, **REGISTRATION, "FLOW_LOG_GROUP_ARN": GROUP + suffix})
    assert settings.log_group("abc", declared=True) == "/aws/vendedlogs/states/orchestra-dev-abc"
    assert settings.log_group("mine", declared=False) == "/aws/vendedlogs/states/orchestra-dev/registered"
