"""What is set aside, what comes again, and that nothing is lost between the two."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from orchestration import telemetry
from orchestration.errors import OrchestraError, Retryable
from orchestration.metrics import MESSAGES_QUARANTINED
from orchestration.quarantine import quarantine
from tests.support.deployed import Output, read


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[], Output]:
    """Return what was logged and counted."""
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Orchestra")
    log = io.StringIO()
    monkeypatch.setattr(telemetry.logger.registered_handler, "stream", log)
    return lambda: read(log.getvalue() + capsys.readouterr().out)


def fail(error: Exception) -> None:
    raise error


def test_what_succeeds_is_neither(told: Callable[[], Output]) -> None:
    put: list[str] = []
    with quarantine(put.append, metric=MESSAGES_QUARANTINED):
        pass
    assert put == []
    assert told().text == ""


def test_what_no_other_try_can_mend_is_set_aside(told: Callable[[], Output]) -> None:
    put: list[str] = []
    with quarantine(put.append, metric=MESSAGES_QUARANTINED):
        fail(OrchestraError("schema 9 is newer"))
    assert put == ["OrchestraError: schema 9 is newer"]
    output = told()
    assert output.said("message", "reason") == [("cannot be handled, and has been set aside", put[0])]
    assert [name for name, _, _, _ in output.metrics] == ["MessagesQuarantined"]


def test_what_another_try_can_mend_comes_again(told: Callable[[], Output]) -> None:
    put: list[str] = []
    with pytest.raises(Retryable), quarantine(put.append, metric=MESSAGES_QUARANTINED):
        fail(Retryable("busy"))
    assert put == []
    assert told().metrics == []


def test_what_cannot_be_set_aside_comes_again(told: Callable[[], Output]) -> None:
    def put(reason: str) -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError) as error, quarantine(put, metric=MESSAGES_QUARANTINED):
        fail(KeyError("CANARY"))
    assert error.value.__suppress_context__, "the runtime would tell the text of the other"
    output = told()
    assert [name for name, _, _, _ in output.metrics] == ["QuarantineFailures"]
    assert [reason.split(" at ")[0] for (reason,) in output.said("reason")] == ["KeyError", "ConnectionResetError"]
    assert "CANARY" not in output.text


def test_an_end_of_the_process_is_nobody_s_failure(told: Callable[[], Output]) -> None:
    with pytest.raises(KeyboardInterrupt), quarantine(lambda _: None, metric=MESSAGES_QUARANTINED):
        raise KeyboardInterrupt
    assert told().text == ""
