"""Metrics and log lines, written by many threads: each is one whole line."""

from __future__ import annotations

import io
import json
import re
import sys
import threading
from pathlib import Path

import pytest

from orchestration import metrics, telemetry
from orchestration.metrics import METRICS, Kind, Metric
from orchestration.model import TERMINAL_RUN, RunStatus, TaskStatus


class Slow(io.StringIO):
    """A stream on which, after each part of a line, the others are let write first, if they can."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def write(self, text: str) -> int:
        self.written.set()
        done = super().write(text)
        if not text.endswith("\n"):
            self.written.clear()
            self.written.wait(0.05)
        return done


def test_lines_of_many_threads_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Orchestra")
    stream = Slow()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(telemetry.logger.registered_handler, "stream", stream)
    telemetry.logger.setLevel("INFO")
    together = threading.Barrier(4)

    def tell(count: int) -> None:
        together.wait()
        telemetry.run_started(f"w{count}")
        telemetry.logger.info("answered")

    threads = [threading.Thread(target=tell, args=(count,)) for count in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert sorted(line.get("workflow", line.get("message")) for line in lines) == [
        *["answered"] * 4,
        "w0",
        "w1",
        "w2",
        "w3",
    ]


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("metric", METRICS.values(), ids=str)
def test_a_metric_is_a_line_with_each_of_its_sets_of_dimensions(
    metric: Metric, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Orchestra/here")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "worker")  # it is in the log, and is no dimension
    contents = {name: f"the-{name}" for names in metric.dimensions for name in names}
    telemetry.tell(metric, 7, **contents)
    (line,) = lines_of(capsys)
    meta = line.pop("_aws")
    assert isinstance(meta, dict)
    assert isinstance(meta.pop("Timestamp"), int)
    assert meta == {
        "CloudWatchMetrics": [
            {
                "Namespace": "Orchestra/here",
                "Dimensions": [list(names) for names in metric.dimensions],
                "Metrics": [{"Name": metric.name, "Unit": metric.unit}],
            }
        ]
    }
    assert line == {metric.name: [7.0], **contents}


def test_the_units_are_those_of_cloudwatch() -> None:
    assert {(metric.kind, metric.unit) for metric in METRICS.values()} == {
        (Kind.COUNTER, "Count"),
        (Kind.GAUGE, "Count"),
        (Kind.DURATION, "Milliseconds"),
    }
    assert [name for name, metric in METRICS.items() if name != metric.name] == []


def test_there_is_a_metric_for_every_end() -> None:
    assert telemetry._ENDS.keys() == TERMINAL_RUN
    assert {status: metric.name for status, metric in telemetry._ENDS.items()} == {
        RunStatus.SUCCEEDED: "RunsSucceeded",
        RunStatus.FAILED: "RunsFailed",
        RunStatus.CANCELED: "RunsCanceled",
    }
    assert {status: metric.name for status, metric in telemetry._ATTEMPTS.items()} == {
        TaskStatus.SUCCEEDED: "AttemptsSucceeded",
        TaskStatus.FAILED: "AttemptsFailed",
        TaskStatus.READY: "AttemptsRetried",
        TaskStatus.CANCELED: "AttemptsCanceled",
    }


def test_every_metric_is_told_somewhere() -> None:
    """One that no code names is one that an alarm would wait for in vain."""
    folder = Path(metrics.__file__).parent
    code = "".join(file.read_text() for file in folder.glob("*.py") if file.name != "metrics.py")
    named = {name: metric for name, metric in vars(metrics).items() if isinstance(metric, Metric)}
    assert len(named) == len(METRICS)
    assert [name for name in named if f"metrics.{name}" not in code] == []


def test_a_line_tells_its_time_as_lambda_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line whose time is not RFC 3339 counts as INFO where Lambda filters by level, whatever its level is."""
    stream = io.StringIO()
    monkeypatch.setattr(telemetry.logger.registered_handler, "stream", stream)
    telemetry.logger.error("failed")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)", json.loads(stream.getvalue())["timestamp"]
    )


def fail() -> None:
    try:
        json.loads("CANARY")
    except ValueError as cause:
        raise KeyError("CANARY") from cause


def test_of_an_error_its_reason_and_its_way_are_told_and_its_text_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(telemetry.logger.registered_handler, "stream", stream)
    with pytest.raises(KeyError) as error:
        fail()
    telemetry.failed("it failed", error.value, run_id="r")
    assert "CANARY" not in stream.getvalue()
    line = json.loads(stream.getvalue())
    assert (line["level"], line["message"], line["run_id"]) == ("ERROR", "it failed", "r")
    assert re.fullmatch(r"KeyError at test_telemetry\.py:\d+ fail", line["reason"])
    assert [re.sub(r"\d+", "1", place) for place in line["trace"]][-1] == "test_telemetry.py:1 fail"
