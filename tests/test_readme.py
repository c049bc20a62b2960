"""What the README and the docs say is so: diagrams, snippets, commands, limits and rules."""

from __future__ import annotations

import json
import re
import runpy
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from cli import local
from cli.main import app
from components import sweeper
from components.worker_pool import TIMEOUT_S
from orchestration import codec, invariants, payload, queue, retry, workflow
from orchestration.metrics import METRICS
from orchestration.overdue import Repair
from orchestration.workflow import Retry, Task, Workflow
from tests.simulation import judge, simulation

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_the_diagrams_are_those_of_the_transition_tables() -> None:
    drawn = runpy.run_path(str(ROOT / "docs" / "state_diagrams.py"))["drawn"]

    assert drawn(README) == README


def test_the_definition_is_one() -> None:
    definition = json.loads(snippets("json")[0])

    assert Workflow.from_json(definition) == Workflow(
        "two-readers",
        {
            "A": Task("a"),
            "B1": Task("b1", after=["A"]),
            "B2": Task("b2", after=["A"], timeout_s=30, retry=Retry(max_attempts=3, delay_s=1)),
        },
    )


def test_the_definition_with_every_setting_is_one() -> None:
    retry = Retry(max_attempts=5, delay_s=10, backoff=2, max_delay_s=600, on=["Unavailable", "States.Timeout"])

    assert Workflow.from_json(json.loads(snippets("json")[2])) == Workflow(
        "nightly",
        {
            "extract": Task("probe", timeout_s=120, total_timeout_s=1800, retry=retry),
            "load": Task("probe", after=["extract"], at_most_once=True),
            "report": Task("probe", after=["load"]),
        },
        timeout_s=7200,
    )


def test_the_declaration_is_one() -> None:
    declared = eval(snippets("python")[0], {"Task": Task, "Workflow": Workflow})

    assert list(declared.tasks) == ["A", "B1", "C"]


def test_the_event_has_the_fields_of_the_task_contract() -> None:
    assert list(json.loads(snippets("json")[1])) == [
        *["run_id", "workflow", "task_id", "attempt", "idempotency_key", "deadline_at", "params", "input", "upstream"]
    ]


@pytest.mark.parametrize(
    ("row", "limit"),
    [
        ("tasks of a workflow", f"{workflow.MAX_TASKS:,}"),
        ("dependencies of one task; tasks that nothing waits for", f"{workflow.MAX_DEPENDENCIES:,}"),
        ("a definition, every default written out", f"{workflow.MAX_DEFINITION_BYTES:,} bytes as canonical JSON"),
        (
            "run input, output of a task, `params` of a task",
            f"{payload.LIMIT_BYTES:,} bytes as compact UTF-8 JSON",
        ),
        ("nesting of any of them", f"{payload.MAX_DEPTH} levels"),
        ("`timeout_s` of a task", f"{workflow.MAX_TIMEOUT_S} (a worker waits for it, for at most {TIMEOUT_S})"),
        ("`total_timeout_s` of a task, `timeout_s` of a workflow", f"{workflow.MAX_TOTAL_S:,}, a year"),
        ("attempts of a task", f"{workflow.MAX_ATTEMPTS}"),
        (
            "delay before another attempt",
            f"{workflow.MAX_DELAY_S:,} s; if it is more than {queue.MAX_DELAY_S} s, up to a minute longer",
        ),
    ],
)
def test_the_limits_are_those_of_the_code(row: str, limit: str) -> None:
    assert f"| {row} | {limit} |" in README


@pytest.mark.parametrize("page", ["README.md", *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))])
def test_every_file_and_heading_that_is_linked_is_there(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    links = [link.partition("#") for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith("http")]

    assert links
    for file, _, anchor in links:
        linked = (ROOT / page).parent / file if file else ROOT / page
        assert linked.exists(), file
        assert not anchor or anchor in anchors(linked.read_text("utf-8")), anchor


def anchors(text: str) -> set[str]:
    """Return what GitHub calls the headings of a page."""
    return {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }


def test_every_command_of_the_docs_is_one() -> None:
    """Each parses: its name is known, and so are its options."""
    command: Any = get_command(app)
    command.commands["local"] = get_command(local.app)  # which the boundary puts there when it is called
    adding = ("docs/adding-a-task.md", "docs/adding-a-workflow.md")
    engine = ("docs/architecture.md", "docs/engines.md", "docs/operations.md", "docs/reliability.md")
    stack = ("docs/local-and-aws.md", "docs/security.md", "docs/settings.md", "docs/teardown.md")
    for page in ("README.md", *adding, *engine, *stack):
        text = (ROOT / page).read_text("utf-8")
        shown = re.findall(r"^(?:\$ )?orchestra ([^#\n]+)", text, re.MULTILINE) + re.findall(
            r"`orchestra ([^`]+)`", text
        )
        assert shown, page
        for line in shown:
            check_command(command, shlex.split(line.replace("[TASK]", "TASK")))


def check_command(command: Any, words: list[str]) -> None:
    """Check that a command has all that is written in it, as far as it is written."""
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    options = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    assert not getattr(command, "commands", {}) or not words or words[0].startswith("-"), words
    assert [word for word in words if word.startswith("-") and word != "-" and word not in options] == [], words


def test_the_operations_name_every_repair_and_every_error_of_the_engine() -> None:
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    errors = {retry.TIMEOUT, *retry.PERMANENT, *retry.INFRASTRUCTURE}

    assert [name for name in (*Repair, *sorted(errors)) if f"`{name}`" not in text] == []


def test_the_costs_are_counted_with_the_numbers_of_the_code() -> None:
    text = (ROOT / "docs" / "operations.md").read_text("utf-8").partition("## What it costs")[2]
    looks = 30 * 24 * 60
    gb_s = looks * 0.2 * sweeper.MEMORY_MB / 1024
    prices = [gb_s * 0.0000133334, looks * 0.2e-6, looks * 1e-6, 2 * codec.RUN_SHARDS * looks / 2 * 0.125e-6]

    assert sweeper.EVERY == "rate(1 minute)"
    assert f"{looks:,} x 0.2 s x 0.5 GB = {gb_s:,.0f} GB-s" in text
    assert f"| {2 * codec.RUN_SHARDS} x {looks:,} queries" in text
    assert re.findall(r"\| (\$\d\.\d{3}) \|", text) == [f"${price:.3f}" for price in (*prices, looks * 1e-6 * 0.5)]


def test_the_metrics_of_the_docs_are_those_that_are_emitted() -> None:
    text = (ROOT / "docs" / "operations.md").read_text("utf-8").partition("## What to watch")[2]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]+) \| ", text, re.MULTILINE)
    said = {
        name: (kind, {() if each == "none" else (each.strip("`"),) for each in dimensions.split("; ")})
        for name, kind, dimensions in rows
    }

    assert said == {name: (metric.kind, set(metric.dimensions)) for name, metric in METRICS.items()}
    assert len(rows) == len(METRICS)


def test_the_waits_of_the_local_stack_are_its_settings() -> None:
    config = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text("utf-8"))["config"]
    grace_s, slack_s = config["orchestra:graceSeconds"], config["orchestra:leaseSlackSeconds"]

    assert f"are {grace_s} and {slack_s} on the local stack" in README


def test_the_rules_of_the_docs_are_those_of_the_checks() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text("utf-8")
    named = set(re.findall(r"^\| ([SLEQ]\d+) ", text, re.MULTILINE))
    checked = {
        rule
        for module in (invariants, judge)
        for rule in re.findall(r"^([SLE]\d+) ", module.__doc__ or "", re.MULTILINE)
    }

    assert named == checked | set(simulation.INVARIANT.values())


def test_the_commands_of_the_top_are_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    commands = re.findall(r"^make (\w+)", snippets("sh")[0], re.MULTILINE)

    assert commands == ["demo", "test"]
    assert [c for c in commands if not re.search(rf"^{c}:", makefile, re.MULTILINE)] == []


def test_every_target_of_the_docs_is_one_of_the_makefile() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    named = {
        t
        for page in pages
        for t in re.findall(r"^(?:\$ )?make (\w+)|`make (\w+)`", page.read_text("utf-8"), re.MULTILINE)
    }

    assert {one or other for one, other in named} - targets == set()


def test_ci_runs_what_the_readme_says_and_nothing_else() -> None:
    lines = [line for line in (ROOT / ".ci" / "run").read_text("utf-8").splitlines() if not line.startswith("#")]

    assert lines == ["set -eu", 'cd "$(dirname "$0")/.."', "exec make test"]
