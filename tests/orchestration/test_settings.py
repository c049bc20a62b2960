"""What the environment must say, and the line that names what it does not."""

from __future__ import annotations

import pytest

from orchestration.errors import OrchestraError
from orchestration.settings import Settings

WHOLE = {"TABLE_NAME": "table", "QUEUE_URL": "https://queue", "SERVICES": '{"a":"fn-a","b":"fn-b"}', "OTHER": "x"}


def test_settings() -> None:
    assert Settings.read(WHOLE) == Settings("table", "https://queue", {"a": "fn-a", "b": "fn-b"})
    assert Settings.read({**WHOLE, "SERVICES": "{}"}).functions == {}


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
