"""The comparison: overhead, equality of outputs, figures and table."""

from __future__ import annotations

from typing import Any

import pytest

from cli.comparison import Comparison, Measured, document, first_difference, overhead_ms, remarks, table, verdict
from cli.model import Run, run_of
from cli.prices import PRICES, Unit
from cli.usage import Payloads, Usage, of_dynamodb, of_stepfunctions
from orchestration.payload import Json
from tests.cli.fake import ALL_DONE, NOW, described, done, task

ENGINES = ("dynamodb", "stepfunctions")


def ended(engine: str = "dynamodb", took: int = 2300, **fields: Any) -> Run:
    return run_of(described("SUCCEEDED", tasks=ALL_DONE, engine=engine, finished_at=NOW + took, **fields))


def compared(*, output: Json = 1, other: Json = 1, **fields: Any) -> Comparison:
    """Return three runs on each engine, of which the last has another output."""
    sides = {
        engine: tuple(
            Measured(
                run := ended(engine, took, run_id=f"{engine}-{took}"),
                other if (engine, took) == ("stepfunctions", 9000) else output,
                of_dynamodb(run, Payloads(1_000)) if engine == "dynamodb" else of_stepfunctions(run, 6),
            )
            for took in (2300, 2500, 9000)
        )
        for engine in ENGINES
    }
    return Comparison("abc", "0123", sides, **fields)


@pytest.mark.parametrize(
    ("tasks", "overhead"),
    [
        ({"A": task(**done(0, 1000))}, 0),
        ({"A": task(**done(100, 200)), "B": task(**done(250, 100))}, 100 + 650),
        ({"A": task(**done(100, 800)), "B": task(**done(200, 100))}, 200),
        ({"A": task(**done(100, 100)), "B": task(**done(600, 100))}, 800),
        ({"A": task()}, 1000),
        ({"A": task(**done(-50, 2000))}, 0),  # clocks of two machines
    ],
)
def test_overhead_is_the_time_in_which_no_task_runs(tasks: dict[str, Any], overhead: int) -> None:
    assert overhead_ms(run_of(described("SUCCEEDED", tasks=tasks, finished_at=NOW + 1000))) == overhead


def test_a_run_that_has_not_ended_has_no_overhead_yet() -> None:
    assert overhead_ms(run_of(described())) == 0


@pytest.mark.parametrize(
    ("one", "other", "where"),
    [
        (1, 1.0, None),
        (1, True, "$"),
        (0, False, "$"),
        (None, False, "$"),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, "$.a[1].b"),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, None),
        ({"a": 1}, {"a": 1, "b": None}, "$.b"),
        ({"a": None}, {}, "$.a"),
        ([1], [1, 2], "$"),
        ([], {}, "$"),
        ("1", 1, "$"),
        (2**70, 2**70, None),
        ({"\x1b[31m": 1}, {}, "$."),
    ],
)
def test_the_first_difference(one: Json, other: Json, where: str | None) -> None:
    assert first_difference(one, other) == where


def test_outputs_are_equal_across_all_runs() -> None:
    assert compared().difference is None
    found = compared(output={"n": 1}, other={"n": 2})
    assert found.difference == "$.n in dynamodb-2300 and stepfunctions-9000"
    assert verdict(found).plain == "abc  3 runs on each engine, all SUCCEEDED, outputs differ"


def test_the_table_has_a_row_for_each_unit_and_adds_up() -> None:
    _, rows = table(compared())
    cells = [[cell.plain for cell in row] for row in rows]
    assert cells[:4] == [
        ["wall time, median", "2.5s", "", "2.5s", ""],
        ["  least", "2.3s", "", "2.3s", ""],
        ["  most", "9.0s", "", "9.0s", ""],
        ["overhead, median", "600ms", "", "600ms", ""],
    ]
    assert [row[0] for row in cells[4:-1]] == [unit.value for unit in Unit]
    assert cells[4] == ["state transitions", "-", "", "6", "150.00"]
    for engine, prices in ((1, 2), (3, 4)):
        parts = [float(row[prices]) for row in cells[4:-1] if row[prices]]
        assert float(cells[-1][engine].removeprefix("$")) == pytest.approx(sum(parts), abs=0.05)


def test_the_document() -> None:
    found = document(compared())
    assert (found["workflow"], found["version"], found["equal"], found["difference"]) == ("abc", "0123", True, None)
    side = found["engines"]["stepfunctions"]
    assert side["runs"][2] == {
        "run_id": "stepfunctions-9000",
        "status": "SUCCEEDED",
        "error": None,
        "wall_ms": 9000,
        "overhead_ms": 7100,
    }
    assert side["wall_ms"] == {"median": 2500, "min": 2300, "max": 9000}
    assert side["units"]["state transitions"] == 6
    assert side["requests"] == {"DescribeExecution": 1, "GetItem": 1, "StartExecution": 1}
    assert side["usd_per_million_runs"]["state transitions"] == 150
    parts = {unit: usd for unit, usd in side["usd_per_million_runs"].items() if unit != "total"}
    assert side["usd_per_million_runs"]["total"] == pytest.approx(sum(parts.values()), abs=0.001)
    assert set(found["prices"]["units"]) == {unit.value for unit in PRICES}
    assert (found["prices"]["region"], found["barriers"], found["local"]) == ("us-east-1", 0, False)


def test_a_run_that_failed_has_no_figures() -> None:
    sides = {"dynamodb": (Measured(ended()),), "stepfunctions": (Measured(run_of(described("FAILED"))),)}
    found = Comparison("abc", "", sides)
    assert [run.status for run in found.ended_badly] == ["FAILED"]
    assert document(found)["equal"] is False
    assert set(document(found)["engines"]["dynamodb"]) == {"runs"}


def test_what_is_measured_where_and_what_is_given_up_is_said() -> None:
    said = " ".join(remarks(compared(local=True, barriers=2)))
    assert "are measured, here on an emulator: they are not the times of AWS." in said
    assert "Step Functions waits at 2 barriers that the workflow has not: orchestra asl abc" in said
    assert "emulator" not in " ".join(remarks(compared()))
    assert all(len(line) <= 80 for line in remarks(compared(local=True, barriers=2)))


def test_units_are_the_mean_of_the_runs() -> None:
    one, other = Usage(), Usage()
    one.units[Unit.WRITES], other.units[Unit.WRITES] = 24, 25
    side = (Measured(ended(), 1, one), Measured(ended(), 1, other))
    units = document(Comparison("abc", "", dict.fromkeys(ENGINES, side)))["engines"]["dynamodb"]["units"]
    assert units["table write units"] == 24.5
