"""Workflows that chance draws: any graph, with failures that pass and at most one that does not.

Hypothesis draws them, so that a disagreement is shrunk to the smallest workflow that shows it.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from orchestration.payload import Json
from orchestration.workflow import Retry, Task, Workflow

IDS = ("A", "B", "c", "d-1", "d_1", "0", "-", "sum", "in", "Zz9", "states", "Next")
HOSTILE_TEXTS = (
    *("{% 1 + 1 %}", "{%", "%}", "{%%}", "$.x", "$$", "States.ALL", "States.UUID()", "' & $millis() & '", "\\u0025}"),
    *('"', "\\", "`", "$states.input", "${x}", "/* x */", "é\u2028🙂", "", "{% '%}' %}", "%{%}%"),
)
HOSTILE_KEYS = ("x.$", ".$", "$", "", "{% x %}", "a.b", "'\"", "Type", "Next", "$states", "%")

values: st.SearchStrategy[Json] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=8)
    | st.sampled_from(HOSTILE_TEXTS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4) | st.sampled_from(HOSTILE_KEYS), inner, max_size=3)
    ),
    max_leaves=8,
)


inputs = values.map(lambda value: {"x": value} if isinstance(value, dict) else value)
"""Inputs of runs, in which a probe finds nothing that it is to do."""


@st.composite
def graphs(draw: st.DrawFn, most: int = len(IDS)) -> dict[str, list[str]]:
    """Draw the dependencies of each task, of any acyclic graph: each task waits for some of those before it."""
    count = draw(st.integers(1, min(most, len(IDS))))
    ids = draw(st.permutations(IDS))[:count]
    return {
        id_: draw(st.lists(st.sampled_from(ids[:i]), unique=True, max_size=4)) if i else [] for i, id_ in enumerate(ids)
    }


@st.composite
def workflows(draw: st.DrawFn, name: str = "drawn", most: int = 8) -> Workflow:
    """Draw a workflow of probes that tell the event that they were given."""
    tasks = {
        task_id: Task("probe", after=after, params={"digest": True, "return": draw(values)})
        for task_id, after in draw(graphs(most)).items()
    }
    for task_id in draw(st.lists(st.sampled_from(list(tasks)), unique=True, max_size=2)):
        tasks[task_id] = _flaky(tasks[task_id], draw(st.integers(1, 2)), draw(st.integers(0, 2)), draw(_names))
    for task_id in draw(st.lists(st.sampled_from(list(tasks)), unique=True, max_size=2)):
        # So that those beside it are not always done in the order in which they are drawn.
        tasks[task_id] = replace(tasks[task_id], params={**tasks[task_id].params, "sleep_s": 0.15})
    if draw(st.integers(0, 4)) == 4:
        dies = draw(st.sampled_from(list(tasks)))
        tasks[dies] = replace(tasks[dies], params={**tasks[dies].params, "die": 1})
    if draw(st.integers(0, 2)) == 2:
        broken = draw(st.sampled_from(list(tasks)))
        tasks[broken] = _broken(tasks[broken], draw(st.sampled_from(["none", "exhausted", "another"])))
    return Workflow(name, tasks)


_names = st.sampled_from([["*"], ["Flaky"], ["Flaky", "Other"], ["*", "Flaky"]])


def _flaky(task: Task, failures: int, spare: int, names: list[str]) -> Task:
    """Return a task that fails some times, with a policy that has as many attempts, and some to spare."""
    retry = Retry(max_attempts=failures + 1 + spare, delay_s=0, on=names)
    return replace(task, params={**task.params, "fail": {"name": "Flaky", "attempts": failures}}, retry=retry)


def _broken(task: Task, policy: str) -> Task:
    retries = {
        "none": Retry(),
        "exhausted": Retry(max_attempts=2, delay_s=0, on=["Broken"]),
        "another": Retry(max_attempts=3, delay_s=0, on=["Flaky"]),
    }
    return replace(task, params={**task.params, "fail": "Broken"}, retry=retries[policy])
