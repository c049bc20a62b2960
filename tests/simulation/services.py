"""The task services: each has its effect, and answers, after its time; or is busy, cut off, too slow, wrong."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from greenlet import getcurrent

from orchestration import payload, retry
from orchestration.model import Failure
from orchestration.payload import Json
from orchestration.tasks import NotRun, Raised, Result, Returned
from orchestration.workflow import Workflow
from tests.simulation.faults import Outcome

if TYPE_CHECKING:
    from tests.simulation.world import Lambda, World

ERRORS = ("Boom", "Other", retry.INVALID_OUTPUT)
BUSY = "Lambda.TooManyRequestsException"


class Answer(StrEnum):
    RETURNED = "returned"
    RAISED = "raised"
    BUSY = "busy"
    NEVER_REACHED = "never reached"
    CUT_OFF = "cut off"
    UNAVAILABLE = "unavailable"
    TIMED_OUT = "timed out"


FAILURES = {
    Answer.NEVER_REACHED: retry.CONNECTION_LOST,
    Answer.CUT_OFF: retry.CONNECTION_LOST,
    Answer.UNAVAILABLE: retry.UNAVAILABLE,
    Answer.TIMED_OUT: retry.TIMEOUT,
}


def output_of(task_id: str, run_input: Json, upstream: Mapping[str, Json]) -> str:
    """Return what a task returns: whoever gives it something else gets something else."""
    seen = payload.compact([task_id, run_input, sorted(upstream.items())])
    return f"{task_id}:{zlib.crc32(seen.encode()):08x}"


def outputs_of(workflow: Workflow, run_input: Json) -> dict[str, str]:
    """Return what every task of a workflow returns in the end."""
    outputs: dict[str, str] = {}
    while len(outputs) < len(workflow.tasks):
        for task_id, task in workflow.tasks.items():
            if task_id not in outputs and all(t in outputs for t in task.after):
                outputs[task_id] = output_of(task_id, run_input, {t: outputs[t] for t in task.after})
    return outputs


class SimServices:
    def __init__(self, world: World, process: Lambda) -> None:
        self._world = world
        self._process = process

    def invoke(self, service: str, event: Mapping[str, Json], timeout_s: float, beat: Callable[[], None]) -> Result:
        world, process = self._world, self._process
        task_id = str(event["task_id"])
        went = world.outcome(process.kind, "invoke")
        process.delay()
        self._fall(went, Outcome.CRASH_BEFORE, Outcome.PAUSE_BEFORE)
        if timeout_s <= 0:
            world.judge.violated("E4", str(event["run_id"]), task_id, f"invoked for {timeout_s} s")
        answer = self._answer(went)
        world.cover("service", answer)
        world.note("invoked", process, event["run_id"], task_id, event["attempt"], answer)
        if answer is Answer.BUSY:
            process.sleep(3_000)
            process.given_back.add(process.token())
            return NotRun(Failure(BUSY, "busy"))
        if answer is not Answer.NEVER_REACHED:
            world.judge.invoked(event, process)
            lasts_ms = round(timeout_s * 1000)
            if answer is not Answer.TIMED_OUT:
                lasts_ms = min(lasts_ms, world.duration_ms(str(event["run_id"]), task_id))
            if answer is Answer.CUT_OFF or went is Outcome.CRASH_AFTER:
                lasts_ms = lasts_ms * world.any_below(8) // 8
            self._wait(lasts_ms, beat)
        self._fall(went, Outcome.CRASH_AFTER, Outcome.PAUSE_AFTER)
        if answer is Answer.RETURNED:
            return Returned(payload.compact(output_of(task_id, event["input"], event["upstream"])))
        name = world.tape.pick(ERRORS) if answer is Answer.RAISED else FAILURES[answer]
        return Raised(Failure(name, answer))

    def _fall(self, went: Outcome, crash: Outcome, pause: Outcome) -> None:
        if went is crash:
            self._process.die()
        if went is pause:
            self._process.sleep(self._world.pause())

    def _answer(self, went: Outcome) -> Answer:
        if went is Outcome.REFUSED:
            return Answer.NEVER_REACHED
        if went is Outcome.UNKNOWN:
            return Answer.CUT_OFF
        world, faults = self._world, self._world.faults
        if not world.faulty:
            return Answer.RETURNED
        for probability, answer in (
            (faults.busy, Answer.BUSY),
            (faults.cut_off, Answer.CUT_OFF),
            (faults.unavailable, Answer.UNAVAILABLE),
            (faults.error, Answer.RAISED),
            (faults.overlong, Answer.TIMED_OUT),
        ):
            if world.tape.chance(probability):
                return answer
        return Answer.RETURNED

    def _wait(self, ms: int, beat: Callable[[], None]) -> None:
        """Wait as the adapter for Lambda does: the answer comes when it comes, and the beats take their own time."""
        world = self._world
        answered = world.now + ms
        every = world.timing.heartbeat_s * 1000
        fragile = True
        while world.now + every < answered:
            self._process.sleep(every)
            # Of two renewals one gets through: a lease lasts for no more than that.
            if fragile:
                self._process.beating.add(getcurrent())
            beat()
            self._process.beating.discard(getcurrent())
            fragile = not fragile
        if answered > world.now:
            self._process.sleep(answered - world.now)
