"""Runs of Step Functions: started, found, shown, listed, canceled and redriven, over machines in memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from orchestration import asl, views
from orchestration.catalog import Catalog, Entry
from orchestration.errors import Conflict, InvalidRequest, NoSuchRun, NotFound, Refused, Retryable
from orchestration.executions import Execution, ExecutionStatus
from orchestration.flow_runs import FlowRuns, named_in
from orchestration.model import Failure, RunStatus
from orchestration.workflow import Task, Workflow
from tests.support import shapes
from tests.support.flows import FUNCTIONS
from tests.support.world import World

ABC = shapes.diamond()
MINE = Workflow("mine", {"t": Task("a")})
MINE_2 = Workflow("mine", {"t": Task("a"), "u": Task("a")}, timeout_s=60)
SINKS = Workflow("sinks", {"A": Task("a"), "X": Task("a", after=["A"]), "Y": Task("a", after=["A"])})
BOOM: dict[str, Any] = {"error": "Boom", "cause": '{"errorType":"Boom","errorMessage":"it broke"}'}


def machine(workflow: Workflow) -> str:
    return asl.compile_workflow(workflow, {s: FUNCTIONS + s for s in workflow.services}).text


def world(*registered: Workflow) -> World:
    """Return a world that has the machine of the declared workflow, and those of registered ones."""
    made = World()
    made.flows.machines = {w.name: machine(w) for w in (ABC, *registered)}
    for workflow in registered:
        Catalog(made.definitions).register(workflow, flow=True)
    return made


def runs(world: World) -> FlowRuns:
    """Return what a fresh process has."""
    return FlowRuns(world.flows, Catalog(world.definitions, [ABC]), world.store, world.flows.registers)


def refusal(ask: Callable[[], object], kind: type[Refused]) -> str:
    with pytest.raises(Refused) as error:
        ask()
    assert type(error.value) is kind
    return str(error.value)


def failed(made: World, run_id: str = "r", workflow: Workflow = MINE) -> None:
    """Start a run and let its only task fail."""
    runs(made).start(workflow, run_id, "null")
    made.flows.tell(run_id).enter("t").begin("t").fail("t", "Boom").add("ExecutionFailed", "t", **BOOM)
    made.flows.end(run_id, ExecutionStatus.FAILED, **BOOM)


# -- start -------------------------------------------------------------------------------------------------------------


def test_a_start() -> None:
    made = world()
    seen = runs(made).start(ABC, "r", '{"a":1}')
    assert seen.created is True
    assert views.summary(seen.run) == {
        "run_id": "r",
        "workflow": "abc",
        "engine": "stepfunctions",
        "status": "RUNNING",
        "error": None,
        "epoch": 1,
        "started_at": made.clock.time,
        "deadline_at": None,
        "finished_at": None,
    }
    assert {task_id: task.status.value for task_id, task in seen.tasks.items()} == dict.fromkeys(ABC.tasks, "PENDING")
    assert (seen.run.definition, seen.workflow) == (ABC.version, ABC)
    assert made.flows.kept["abc", "r"].input == '{"a":1}'
    assert list(made.definitions.versions) == [("abc", ABC.version)]
    assert (made.store.records, made.queue.messages) == ({}, [])


def test_a_start_again_finds_the_run() -> None:
    made = world()
    first = runs(made).start(ABC, "r", "1")
    made.flows.tell("r").done("A", 5)
    again = runs(made).start(ABC, "r", "1")
    assert (again.created, again.run, again.tasks["A"].status.value) == (False, first.run, "SUCCEEDED")
    made.flows.end("r", output="5")
    assert runs(made).start(ABC, "r", "1").run.status is RunStatus.SUCCEEDED
    line = "run_id: 'r' is a run with another input already; use another id"
    assert refusal(lambda: runs(made).start(ABC, "r", "2"), Conflict) == line


@pytest.mark.parametrize(("text", "created"), [("1", False), ("2", None)])
def test_a_start_at_the_same_time_as_another(text: str, *, created: bool | None) -> None:
    """It is there although it was not a moment ago: the same one, or one with another input."""
    made = world()
    late = runs(made)
    found = iter([None])
    runs(made).start(ABC, "r", "1")
    made.flows.end("r", output="5")
    ask = made.flows.find
    made.flows.find = lambda *which: next(found, ask(*which))  # type: ignore[method-assign]
    if created is None:
        assert "another input" in refusal(lambda: late.start(ABC, "r", text), Conflict)
    else:
        assert late.start(ABC, "r", text).created is created


def test_an_id_of_the_other_engine_is_not_taken_again() -> None:
    made = world()
    made.start(ABC, "r")
    line = "run_id: 'r' is a run of the engine 'dynamodb' already; use another id"
    assert refusal(lambda: runs(made).start(ABC, "r", "null"), Conflict) == line
    assert made.flows.kept == {}


def test_an_id_of_another_workflow_is_not_taken_again() -> None:
    made = world(MINE, SINKS)
    runs(made).start(MINE, "r", "null")
    line = "run_id: 'r' is a run of the workflow 'mine' already; use another id"
    assert refusal(lambda: runs(made).start(ABC, "r", "null"), Conflict) == line
    assert list(made.flows.kept) == [("mine", "r")]
    made.flows.calls.clear()
    assert runs(made).start(MINE, "r", "null").created is False
    assert runs(made).start(MINE, "mine-1", "null").created is True
    asked = {name for what, name in made.flows.calls if what == "find"}
    assert asked == {"mine"}, "an id that begins with the name of its workflow costs no question about the others"


def test_a_workflow_that_has_no_machine_or_an_earlier_one() -> None:
    made = world()
    catalog = Catalog(made.definitions)
    catalog.register(MINE)
    assert refusal(lambda: runs(made).start(MINE, "r", "null"), Conflict) == (
        "workflow: 'mine' has no state machine; `orchestra register FILE --engine stepfunctions` makes one"
    )
    assert made.flows.calls == []
    catalog.register(MINE, flow=True)
    catalog.register(MINE_2)
    assert refusal(lambda: runs(made).start(MINE_2, "r", "null"), Conflict) == (
        "workflow: the state machine of 'mine' is of an earlier version; `orchestra register FILE --engine"
        " stepfunctions` updates it"
    )
    assert made.flows.kept == {}


def test_machines_of_registered_workflows_count_only_where_they_are_allowed() -> None:
    made = world(MINE)
    runs(made).start(MINE, "r", "null")
    declared, registered = Catalog(made.definitions, [ABC]).entries()
    earlier = Entry("mine", MINE_2.version, 2, "registered", MINE.version)
    none = Entry("mine", MINE.version, 1, "registered")
    assert [runs(made).runs_of(entry) for entry in (declared, registered, earlier, none)] == [True, True, False, False]
    made.flows.registers = False
    assert [runs(made).runs_of(entry) for entry in (declared, registered, earlier, none)] == [True, False, False, False]
    assert refusal(lambda: runs(made).look("r"), NoSuchRun) == "run_id: there is no run 'r'"
    assert runs(made).list_runs(["abc", "mine"], 10, None).runs == []
    assert refusal(lambda: runs(made).start(MINE, "r2", "null"), Conflict) == (
        "workflow: 'mine' has no state machine; the deployment makes none of registered workflows (its setting"
        " registerFlows)"
    )


# -- finding and showing -----------------------------------------------------------------------------------------------


def test_a_run_keeps_the_version_that_it_was_started_with() -> None:
    made = world(MINE)
    runs(made).start(MINE, "r", "null")
    made.flows.machines["mine"] = machine(MINE_2)
    Catalog(made.definitions).register(MINE_2, flow=True)
    seen = runs(made).look("r")
    assert (seen.workflow, seen.run.definition, seen.run.deadline_at) == (MINE, MINE.version, None)
    assert runs(made).pinned("mine", "r") == MINE
    runs(made).start(MINE_2, "r2", "null")
    seen = runs(made).look("r2")
    assert (seen.workflow, seen.run.deadline_at) == (MINE_2, made.clock.time + 60_000)


def test_a_run_is_looked_for_first_where_its_id_says() -> None:
    long = "a-name-of-more-than-31-characters-0"
    workflows = [Workflow(name, {"t": Task("a")}) for name in ("m", "mine", "other", long)]
    made = world(*workflows)
    for run_id, workflow, first, then in (
        ("mine-1", workflows[1], ["mine"], set()),
        ("m-1", workflows[0], ["m"], set()),
        (f"{long[:31]}-1", workflows[3], [long], set()),
        ("mine-2", workflows[2], ["mine", "m"], {long, "abc", "other"}),
    ):
        runs(made).start(workflow, run_id, "null")
        made.flows.calls.clear()
        assert runs(made).look(run_id).run.workflow == workflow.name
        asked = [name for what, name in made.flows.calls if what == "find"]
        assert (asked[: len(first)], set(asked[len(first) :])) == (first, then)
    assert refusal(lambda: runs(made).look("r9"), NoSuchRun) == "run_id: there is no run 'r9'"
    assert named_in("mine-1", ["m", "mine", "mine-1", "mine-12", "x"]) == ["mine-1", "mine", "m"]


def test_the_version_of_a_run_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestration.flow_runs.MAX_REMEMBERED", 2)
    made = world()
    process = runs(made)
    for run_id in ("r1", "r2", "r3"):
        process.start(ABC, run_id, "null")
    for run_id in ("r1", "r2", "r2", "r1", "r3", "r2", "r1"):
        process.look(run_id)
    assert made.flows.calls.count(("definition", "abc")) == 4, "the two that were seen last are kept"


def test_a_run_that_step_functions_does_not_find_yet_is_not_said_to_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    made = world(MINE)
    process = runs(made)
    process.start(ABC, "r", "1")
    monkeypatch.setattr(made.flows, "find", lambda *_: None)
    with pytest.raises(Retryable) as error:
        process.look("r")
    assert str(error.value) == "run_id: 'r' was started just now, and Step Functions does not find it yet; ask again"
    assert refusal(lambda: process.look("r2"), NoSuchRun) == "run_id: there is no run 'r2'"
    assert refusal(lambda: runs(made).look("r"), NoSuchRun) == "run_id: there is no run 'r'"


def test_a_declared_workflow_that_was_started_elsewhere_is_shown() -> None:
    made = world()
    made.flows.start("abc", "r", "{}")
    assert runs(made).look("r").workflow == ABC
    assert list(made.definitions.versions) == [("abc", ABC.version)]


def test_a_machine_that_is_not_ours() -> None:
    made = world()
    made.flows.machines["abc"] = '{"StartAt":"A","States":{}}'
    made.flows.start("abc", "r", "{}")
    line = "run_id: 'r' runs a state machine that Orchestra has not made"
    assert refusal(lambda: runs(made).look("r"), Conflict) == line


def test_after_a_redrive_the_payloads_are_read() -> None:
    made = world(MINE)
    failed(made)
    runs(made).look("r")
    runs(made).redrive("r", None, None)
    runs(made).look("r")
    assert [what for what, _ in made.flows.calls if what.startswith("history")] == [
        "history",
        "history",
        "history with payloads",
    ]


# -- outputs -----------------------------------------------------------------------------------------------------------


def ended() -> World:
    made = world(SINKS)
    runs(made).start(ABC, "r", "null")
    history = made.flows.tell("r")
    for task_id in ABC.tasks:
        history.done(task_id, {"of": task_id})
    made.flows.end("r", output='{"of":"C"}')
    return made


def test_outputs() -> None:
    made = ended()
    assert runs(made).output("r", None) == {"of": "C"}
    assert [what for what, _ in made.flows.calls if what.startswith("history")] == [], "the execution has it"
    assert runs(made).output("r", "B2") == {"of": "B2"}
    assert runs(made).output("r", "C") == {"of": "C"}
    with pytest.raises(NotFound, match="the workflow 'abc' has no task 'D'; it has A, B1, B2, B3, C"):
        runs(made).output("r", "D")


def test_the_output_of_several_sinks_is_by_task() -> None:
    made = ended()
    runs(made).start(SINKS, "s", "null")
    made.flows.tell("s").done("A", 1).done("X", 9007199254740993)
    with pytest.raises(NotFound, match="s: the task 'Y' has no output; the run is RUNNING"):
        runs(made).output("s", None)
    made.flows.tell("s").done("Y")
    made.flows.end("s", output='{"X":9007199254740993,"Y":null}')
    assert runs(made).output("s", None) == {"X": 9007199254740993, "Y": None}


def test_an_output_that_there_is_not() -> None:
    made = world(MINE)
    failed(made)
    with pytest.raises(NotFound, match="r: the task 't' has no output; the run is FAILED"):
        runs(made).output("r", None)


def test_outputs_too_large_for_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    made = ended()
    runs(made).start(SINKS, "s", "null")
    made.flows.tell("s").done("A").done("X", "x" * 10).done("Y", "y" * 10)
    monkeypatch.setattr(views, "MAX_ANSWER_BYTES", 24)
    assert runs(made).output("s", None) == {"X": "x" * 10, "Y": "y" * 10}
    monkeypatch.setattr(views, "MAX_ANSWER_BYTES", 23)
    with pytest.raises(InvalidRequest, match="s: the outputs of its 2 last tasks are too large for one answer"):
        runs(made).output("s", None)


# -- cancel and redrive ------------------------------------------------------------------------------------------------


def test_a_cancel_ends_the_run_at_once_and_the_next_one_finds_it_so() -> None:
    made = world()
    runs(made).start(ABC, "r", "null")
    made.flows.tell("r").enter("A").begin("A")
    asked = runs(made).cancel("r")
    assert (asked.changed, asked.ended, asked.run.status) == (True, False, RunStatus.CANCELED)
    assert asked.run.finished_at == made.clock.time
    again = runs(made).cancel("r")
    assert (again.run, again.changed) == (asked.run, False)
    assert runs(made).look("r").run == asked.run
    assert [what for what, _ in made.flows.calls].count("stop") == 1


def test_a_cancel_that_comes_too_late_changes_nothing() -> None:
    made = world()
    runs(made).start(ABC, "r", "null")
    stop = made.flows.stop

    def late(execution: Execution) -> None:
        made.flows.end("r", ExecutionStatus.SUCCEEDED, output="1")  # between the look and the stop
        stop(execution)

    made.flows.stop = late  # type: ignore[method-assign]
    asked = runs(made).cancel("r")
    assert (asked.changed, asked.ended, asked.run.status) == (False, False, RunStatus.SUCCEEDED)


def test_a_redrive_goes_on_in_the_next_epoch() -> None:
    made = world(MINE_2)
    failed(made, workflow=MINE_2)
    made.clock.time += 5_000
    asked = runs(made).redrive("r", "t", 1)
    run = asked.run
    assert (asked.changed, run.epoch, run.status, run.error) == (True, 2, RunStatus.RUNNING, None)
    assert run.deadline_at == made.clock.time + 60_000
    assert runs(made).look("r").run == run
    for epoch in (None, 1, 2):
        again = runs(made).redrive("r", None, epoch)
        assert (again.run, again.changed) == (run, False), "it is the same request, repeated"
    made.flows.end("r", ExecutionStatus.FAILED, **BOOM)
    assert runs(made).redrive("r", None, 1).changed is False
    assert runs(made).redrive("r", None, 2).run.epoch == 3


def test_a_redrive_at_the_same_time_as_another() -> None:
    made = world(MINE)
    failed(made)
    redrive = made.flows.redrive

    def late(execution: Execution) -> int:
        redrive(execution)
        return redrive(execution)

    made.flows.redrive = late  # type: ignore[method-assign]
    asked = runs(made).redrive("r", None, None)
    assert (asked.changed, asked.run.epoch) == (False, 2)


def test_a_redrive_that_cannot_be() -> None:
    made = world(MINE)
    runs(made).start(MINE, "r", "null")
    line = "run_id: 'r' is RUNNING; only a run that is FAILED or CANCELED can be redriven"
    assert refusal(lambda: runs(made).redrive("r", None, None), Conflict) == line
    made.flows.end("r", output="1")
    line = "run_id: 'r' is SUCCEEDED; only a run that is FAILED or CANCELED can be redriven"
    assert refusal(lambda: runs(made).redrive("r", None, None), Conflict) == line
    line = "from_task: the workflow 'mine' has no task 'x'"
    assert refusal(lambda: runs(made).redrive("r", "x", None), NotFound) == line
    failed(made, "r2")

    def too_late(execution: Execution) -> int:
        raise Conflict("run_id: Step Functions cannot redrive 'r2': it ended 14 days ago")

    made.flows.redrive = too_late  # type: ignore[method-assign]
    line = "run_id: Step Functions cannot redrive 'r2': it ended 14 days ago"
    assert refusal(lambda: runs(made).redrive("r2", None, None), Conflict) == line


def test_a_redrive_from_another_task_than_the_one_that_failed() -> None:
    made = world()
    runs(made).start(ABC, "r", "null")
    made.flows.tell("r").done("A").enter("B1").begin("B1").fail("B1", "Boom").add("ExecutionFailed", "B1", **BOOM)
    made.flows.end("r", ExecutionStatus.FAILED, **BOOM)
    for task_id, status in {"A": "SUCCEEDED", "C": "CANCELED"}.items():
        assert refusal(partial(runs(made).redrive, "r", task_id, None), Conflict) == (
            f"from_task: {task_id!r} is {status}, and Step Functions goes on where a task has FAILED; redrive the run"
            " without naming a task"
        )
    assert runs(made).redrive("r", "B1", None).changed is True


# -- lists -------------------------------------------------------------------------------------------------------------


def test_a_list_has_the_newest_first_and_goes_on() -> None:
    made = world(MINE)
    for number in range(7):
        made.clock.time += 1_000
        runs(made).start(MINE if number % 2 else ABC, f"r{number}", "null")
    for number in (0, 3):  # an end moves an execution up in Step Functions' own order
        made.clock.time += 1_000
        made.flows.end(f"r{number}", output="1")
    for limit in range(1, 9):
        before, found = None, []
        while True:
            page = runs(made).list_runs(["abc", "mine"], limit, before)
            assert len(page.runs) <= limit
            found += [run.run_id for run in page.runs]
            before = page.cursor
            if before is None:
                break
        assert found == [f"r{number}" for number in reversed(range(7))]
    assert [run.run_id for run in runs(made).list_runs(["mine"], 9, None).runs] == ["r5", "r3", "r1"]
    assert runs(made).list_runs([], 9, None).runs == []


def test_a_list_reads_no_more_than_it_has_to() -> None:
    made = world()
    for number in range(9):
        made.clock.time += 1_000
        runs(made).start(ABC, f"r{number}", "null")
    read: list[str] = []
    listed = made.flows.executions

    def counted(workflow: str) -> object:
        for execution in listed(workflow):
            read.append(execution.run_id)
            yield execution

    made.flows.executions = counted  # type: ignore[method-assign,assignment]
    assert [run.run_id for run in runs(made).list_runs(["abc"], 2, None).runs] == ["r8", "r7"]
    assert read == ["r8", "r7", "r6"]


def test_a_list_says_why_runs_failed() -> None:
    made = world(MINE)
    failed(made, "r1")
    runs(made).start(MINE, "r3", "null")
    made.flows.end("r3", ExecutionStatus.TIMED_OUT)
    assert {run.run_id: run.error for run in runs(made).list_runs(["mine"], 9, None).runs} == {
        "r1": Failure("Boom", "it broke"),
        "r3": Failure("States.Timeout", "the run has not ended within its time"),
    }


def test_an_execution_with_a_name_that_is_no_id_is_nobody_s_run() -> None:
    made = world()
    made.flows.start("abc", "started.by:hand", "{}")
    assert runs(made).list_runs(["abc"], 9, None).runs == []


def test_a_declared_workflow_of_which_the_program_makes_no_machine() -> None:
    made = world()
    without = FlowRuns(made.flows, Catalog(made.definitions, [ABC], flows=[]), made.store, registers=True)
    assert refusal(lambda: without.start(ABC, "r", "null"), Conflict) == (
        "workflow: 'abc' has no state machine; the deployed program makes none of it (its setting flowType)"
    )
    assert without.list_runs(["abc"], 20, None).runs == []
    assert made.flows.calls == []  # it is never asked for: the function may not
