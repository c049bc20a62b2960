"""Many runs at once, while processes die, calls fail and the emulator goes down: every one ends, with its own output.

It is `make chaos` that does this at full size. The seed is printed, with the command that draws the same workflows and
faults again. What these meet depends on the machine, so that it takes some luck to see the same failure: the simulator
is where a failure is repeated exactly.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from orchestration.workflow import Workflow
from tests.e2e.conftest import POLL_S, TERMINAL
from tests.support.chaos import Bench, Lab, lab, patiently
from tests.support.chaos_runs import History, expected_output, workflows

__all__ = ["lab"]

pytestmark = pytest.mark.e2e

API = 0.01
STARTERS = 4


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    drawn = int(os.environ.get("ORCHESTRA_CHAOS_SEED") or random.SystemRandom().randrange(2**32))
    marked = " -m chaos" if request.node.get_closest_marker("chaos") else ""
    print(f"to draw this again: ORCHESTRA_CHAOS_SEED={drawn} .venv/bin/pytest '{request.node.nodeid}'{marked}")
    return drawn


@pytest.mark.parametrize(
    ("size", "restarts", "exits"),
    [
        pytest.param(12, 0, 0.2, id="some"),  # of a few runs more is asked
        pytest.param(200, 2, 0.1, id="many", marks=pytest.mark.chaos),
    ],
)
def test_every_run_ends_with_its_output(lab: Lab, seed: int, size: int, restarts: int, exits: float) -> None:
    flows = workflows(random.Random(seed))
    runs = {f"chaos-{size}-{number}": flows[number % len(flows)] for number in range(size)}
    bench, history = lab.bench(f"chaos-{size}"), History(lab)
    for flow in flows:
        lab.system.register(flow)

    engine = {f: {"exit": exits, "api": API} for f in ("worker_arn", "orchestrator_arn", "sweeper_arn")}
    with lab.faults(seed, **engine, service={"exit": exits}), ThreadPoolExecutor(STARTERS) as starters:
        list(starters.map(lambda run_id: start(lab, runs[run_id]["name"], run_id, bench), runs))
        for number in range(1, restarts + 1):
            await_ended(lab, runs, at_least=len(runs) * number // (restarts + 1))
            history.read()
            lab.restart()
        await_ended(lab, runs, at_least=len(runs))
    history.read()

    assert {r: outcome(lab, r) for r in runs} == {r: ("SUCCEEDED", expected_output(runs[r])) for r in runs}
    check_effects(lab, runs, bench)
    assert violations(lab) == []
    assert lab.system.ask(action="dead_letters")["letters"] == []
    checked = {r: history.check(r, Workflow.from_json(flow)) for r, flow in runs.items()}
    assert {r: [str(v) for v in found] for r, found in checked.items() if found} == {}
    complete = sum(found is not None for found in checked.values())
    print(f"every write was seen of {complete} runs of {size}")
    assert complete == size if restarts == 0 else complete > 0


def start(lab: Lab, workflow: str, run_id: str, bench: Bench) -> None:
    """Start a run as its users are told to: again, with the same id, until there is an answer."""
    ask(lab, action="start", workflow=workflow, run_id=run_id, input=bench.input)


def ask(lab: Lab, **request: object) -> dict[str, Any]:
    answer: dict[str, Any] = patiently(lambda: lab.system.ask(**request))
    assert answer.keys() != {"error"}, answer
    return answer


def await_ended(lab: Lab, runs: dict[str, Any], at_least: int) -> None:
    """Return once so many runs have ended, with the Sweeper at work meanwhile."""
    within_s = 120 + 5 * len(runs)
    deadline = time.monotonic() + within_s
    while True:
        statuses = Counter(run["status"] for run in listed(lab) if run["run_id"] in runs)
        if sum(statuses[status] for status in TERMINAL) >= at_least:
            return
        assert time.monotonic() < deadline, f"of {len(runs)} runs after {within_s} s: {statuses}"
        patiently(lab.sweep)
        time.sleep(POLL_S)


def listed(lab: Lab) -> list[dict[str, Any]]:
    found, cursor = [], None
    while True:
        page = ask(lab, action="list", limit=100, **({"cursor": cursor} if cursor else {}))
        found += page["runs"]
        cursor = page["cursor"]
        if cursor is None:
            return found


def outcome(lab: Lab, run_id: str) -> tuple[str, int]:
    status = ask(lab, action="describe", run_id=run_id)["status"]
    return status, ask(lab, action="output", run_id=run_id)["output"]


def check_effects(lab: Lab, runs: dict[str, Any], bench: Bench) -> None:
    """E1: what SUCCEEDED was done. E2: nothing was done more often than it was tried, and no attempt twice."""
    began, ended = bench.effects("began"), bench.effects("ended")
    print(f"attempts: {dict(sorted(Counter(attempt for _, attempt in began).items()))}")
    assert [effect for effect, times in began.items() if times > 1] == []
    tries = {
        (f"{run_id}/{task_id}", state["attempts"])
        for run_id in runs
        for task_id, state in ask(lab, action="describe", run_id=run_id)["tasks"].items()
    }
    assert tries <= ended.keys()
    assert [key for key, attempt in began if attempt > dict(tries)[key]] == []
    assert any(attempt > 1 for _, attempt in began), "nothing has failed"


def violations(lab: Lab) -> list[dict[str, Any]]:
    """Return what is wrong with any run, by the engine's own check of what is stored."""
    found, cursor = [], None
    while True:
        page = ask(lab, action="verify", limit=100, **({"cursor": cursor} if cursor else {}))
        found += page["violations"]
        cursor = page["cursor"]
        if cursor is None:
            return found
