"""The scenarios: what is run on both engines, and what must come of it. Read from YAML, and checked when they are read.

The shape is that of AWS's conformance suite for durable execution: a description, an input, and what is expected, in
which `*` is anything. Source: github.com/aws/aws-durable-execution-conformance-tests, test-requirements/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cli import definition
from orchestration.payload import Json
from orchestration.workflow import Workflow
from tests.parity.trace import Trace, canonical

FOLDER = Path(__file__).parent / "scenarios"
ENGINES = ("dynamodb", "stepfunctions")
ANYTHING = "*"
RANGE = re.compile(r"(.*)\{(\d+)\.\.(\d+)\}")


@dataclass(frozen=True, kw_only=True)
class Expect:
    status: str
    error: Mapping[str, str] | None = None  # name; where they are given: task, message
    output: Json = ANYTHING
    attempts: Mapping[str, int] = field(default_factory=dict)  # of these tasks; of all others 1 if the run succeeded

    def problems(self, workflow: Workflow, trace: Trace) -> list[str]:
        """Return, one a line, what is otherwise in a trace."""
        error = None if trace.error is None else dict(zip(("name", "task", "message"), trace.error, strict=True))
        if error is not None and self.error is not None:
            error = {key: error[key] for key in self.error}
        pairs: list[tuple[str, object, object]] = [("status", trace.status, self.status), ("error", error, self.error)]
        if self.status == "SUCCEEDED" and self.output != ANYTHING:
            pairs.append(("output", trace.output, canonical(self.output)))
        usual = dict.fromkeys(workflow.tasks, 1) if self.status == "SUCCEEDED" else {}
        attempts = {**usual, **self.attempts}
        found = {task_id: task.attempts for task_id, task in trace.tasks.items() if task_id in attempts}
        pairs.append(("attempts", found, attempts))
        return [f"{name}: {one!s:.300} is not {two!s:.300}" for name, one, two in pairs if one != two]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    name: str
    description: str
    group: str
    workflow: Workflow
    input: Json
    expect: Expect
    not_implemented: Mapping[str, str] = field(default_factory=dict)  # engine: the reason

    def status(self, engine: str) -> str:
        """Return what the report of a suite that passes says of an engine."""
        reason = self.not_implemented.get(engine)
        return "passed" if reason is None else f"not implemented: {reason}"


class _Loader(definition._JsonLoader):
    """YAML as definitions are read, with anchors and two tags: `!text N`, N letters, and `!nested N`, N levels."""

    compose_node = yaml.SafeLoader.compose_node


def _text(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    return "x" * int(loader.construct_scalar(node))


def _nested(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Json:
    value: Json = "deep"
    for _ in range(int(loader.construct_scalar(node))):
        value = [value]
    return value


_Loader.add_constructor("!text", _text)
_Loader.add_constructor("!nested", _nested)


def read(folder: Path = FOLDER) -> list[Scenario]:
    """Return every scenario, in the order of the files and of their lines."""
    found = [
        _scenario(path.stem, fields)
        for path in sorted(folder.glob("*.yaml"))
        for fields in yaml.load(path.read_text("utf-8"), _Loader)
    ]
    names = [scenario.name for scenario in found]
    assert len(set(names)) == len(names), "a name is there twice"
    return found


def _scenario(group: str, fields: Mapping[str, Any]) -> Scenario:
    known = {"name", "description", "tasks", "timeout_s", "input", "expect", "not_implemented"}
    assert fields.keys() <= known, (fields["name"], fields.keys() - known)
    written = {"name": f"parity-{fields['name']}", "tasks": _tasks(fields["tasks"])}
    if "timeout_s" in fields:
        written["timeout_s"] = fields["timeout_s"]
    unimplemented = fields.get("not_implemented", {})
    assert unimplemented.keys() <= set(ENGINES), fields["name"]
    return Scenario(
        name=fields["name"],
        description=fields["description"],
        group=group,
        workflow=Workflow.from_json(written),
        input=fields.get("input"),
        expect=Expect(**fields["expect"]),
        not_implemented=unimplemented,
    )


def _tasks(tasks: Mapping[str, Any]) -> dict[str, Json]:
    """Return the tasks of a definition: `M{1..3}` is M1, M2 and M3; a probe, unless it says otherwise."""
    found: dict[str, Json] = {}
    for pattern, given in tasks.items():
        task = {"service": "probe", **(given or {})}
        if "after" in task:
            after = [task["after"]] if isinstance(task["after"], str) else task["after"]
            task["after"] = [task_id for name in after for task_id in _each(name)]
        found.update(dict.fromkeys(_each(pattern), task))
    return found


def _each(pattern: str) -> list[str]:
    matched = RANGE.fullmatch(pattern)
    if matched is None:
        return [pattern]
    prefix, first, last = matched.groups()
    return [f"{prefix}{number:0{len(first)}}" for number in range(int(first), int(last) + 1)]
