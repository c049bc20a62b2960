"""The commands against a fake Orchestrator: what they send, print and exit with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.deployment import Choice
from cli.errors import NoDeployment, RemoteError
from tests.cli.fake import ABC_MACHINE, ALL_DONE, NOW, RUN_ID, abc, call, described, document, done, task

START = {"action": "start", "workflow": "abc", "input": None, "run_id": RUN_ID}
DESCRIBE = {"action": "describe", "run_id": RUN_ID}
OUTPUT = {"action": "output", "run_id": RUN_ID}
ENDED = described("SUCCEEDED", tasks=ALL_DONE)
BOOM = {"name": "Boom", "message": "bang"}
FAILED = described(
    "FAILED", error={**BOOM, "task": "A"}, tasks=abc(A={"status": "FAILED", "attempts": 1, "error": BOOM})
)
DENIED = RemoteError("AWS denied access: no")
THROTTLED = RemoteError("AWS throttles", passing=True)


def started(run: Any = None, *, created: bool = True) -> dict[str, Any]:
    return {"run": run or described(), "created": created}


def out(output: Any) -> dict[str, Any]:
    return {"run_id": RUN_ID, "output": output}


# run


def test_run_follows_to_the_end_and_prints_the_output() -> None:
    middle = described(tasks=abc(A=done(100, 200)))
    called = call("run", "abc", "-i", '{"text": "é"}', answers=[started(), middle, ENDED, out({"é": ["\x1b[31m"]})])
    assert called.exit_code == 0
    assert called.requests == [{**START, "input": {"text": "é"}}, DESCRIBE, DESCRIBE, OUTPUT]
    assert called.stderr == ""
    assert called.stdout.splitlines() == [
        "    +0ms  ● abc-20261123-223100-x7k2q9  RUNNING",
        "  +300ms  ✓ A  SUCCEEDED  200ms",
        "  +700ms  ✓ B1  SUCCEEDED  300ms",
        "   +1.3s  ✓ B3  SUCCEEDED  900ms",
        "   +1.6s  ✓ B2  SUCCEEDED  1.2s",
        "   +2.2s  ✓ C  SUCCEEDED  500ms",
        "   +2.3s  ✓ abc-20261123-223100-x7k2q9  SUCCEEDED",
        "✓ SUCCEEDED  5 of 5 tasks  2.3s",
        "",
        "Output",
        "{",
        '  "é": [',
        '    "\\u001b[31m"',
        "  ]",
        "}",
    ]


def test_run_json_is_one_document() -> None:
    called = call("run", "abc", "--json", answers=[started(), ENDED, out("text")])
    assert (called.exit_code, called.stderr) == (0, "")
    assert called.document == document(ENDED, "text")


def test_a_failed_run_exits_with_1_and_names_its_error() -> None:
    called = call("run", "abc", answers=[started(), FAILED])
    assert called.exit_code == 1
    assert called.stdout.splitlines()[-3:] == [
        "✗ FAILED  0 of 5 tasks  2.3s",
        "✗ A failed: Boom: bang",
        "Go on once it is mended: orchestra redrive abc-20261123-223100-x7k2q9",
    ]
    called = call("run", "abc", "--json", answers=[started(), FAILED])
    assert (called.exit_code, called.document) == (1, document(FAILED, None))


def test_a_canceled_run_exits_with_1() -> None:
    canceled = described("CANCELED")
    called = call("run", "abc", "--json", answers=[started(), canceled])
    assert (called.exit_code, called.document) == (1, document(canceled, None))


def test_many_errors_are_not_a_flood() -> None:
    tasks = {f"t{n}": task("FAILED", error=BOOM) for n in range(60)}
    called = call("run", "abc", "--stack", "dev", answers=[started(), described("FAILED", tasks=tasks)])
    assert called.stdout.splitlines()[-3:] == [
        "✗ t4 failed: Boom: bang",
        "and 55 more errors: orchestra status abc-20261123-223100-x7k2q9 --stack dev",
        "Go on once it is mended: orchestra redrive abc-20261123-223100-x7k2q9 --stack dev",
    ]


def test_no_wait_prints_how_to_follow() -> None:
    called = call("run", "abc", "--no-wait", "--stack", "dev", answers=[started()])
    assert called.exit_code == 0
    assert called.requests == [START]
    assert called.choices == [Choice(stack="dev")]
    assert called.stdout.splitlines() == [
        "Started abc-20261123-223100-x7k2q9",
        "Follow it: orchestra status abc-20261123-223100-x7k2q9 --follow --stack dev",
    ]
    called = call("run", "abc", "--no-wait", "--json", answers=[started()])
    assert (called.exit_code, called.document) == (0, document(described(), None))


def test_a_run_that_is_there_already_is_followed_and_said_to_be() -> None:
    there = described("SUCCEEDED", run_id="mine", tasks=ALL_DONE)
    called = call("run", "abc", "--run-id", "mine", answers=[started(there, created=False), out(1)])
    assert called.exit_code == 0
    assert called.requests == [{**START, "run_id": "mine"}, {"action": "output", "run_id": "mine"}]
    assert called.stderr == "note: run mine is there already; nothing new was started\n"


def test_input_from_standard_input_and_files(tmp_path: Path) -> None:
    path = tmp_path / "note.md"
    path.write_text("[1]")
    called = call("run", "abc", "-i", "-", "--no-wait", answers=[started()], stdin=b'\xef\xbb\xbf{"n": 1}\n')
    assert called.requests == [{**START, "input": {"n": 1}}]
    called = call("run", "abc", "-i", f"@{path}", "--no-wait", answers=[started()])
    assert called.requests == [{**START, "input": "[1]"}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "a b"), "WORKFLOW: 'a b' is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"),
        (("run", "abc", "--run-id", ""), "--run-id: '' is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"),
        (("run", "abc", "-i", "@"), "--input @: the name of the file is missing; write --input @FILE"),
        (("run",), "Missing argument 'WORKFLOW' (see: orchestra run --help)"),
        (("run", "abc", "--zzz"), "No such option: --zzz (see: orchestra run --help)"),
        (("status", "a/b"), "RUN: 'a/b' is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"),
        (("output", "a", "b#"), "TASK: 'b#' is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"),
        (("list", "-w", "a%"), "--workflow: 'a%' is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"),
        (("list", "-w", "^(a+)+$"), "--workflow: '^(a+)+$' is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"),
        (("cancel", "a/b"), "RUN: 'a/b' is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"),
        (("redrive", "a/b"), "RUN: 'a/b' is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"),
        (("redrive", "a", "--from", "b#"), "--from: 'b#' is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"),
        (("verify", "begins_with(pk)"), "RUN: 'begins_with(pk)' is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"),
        (("list", "-w", "é"), "--workflow: '\\xe9' is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"),
        (("register", "/nowhere.json"), "/nowhere.json: cannot be read: No such file or directory"),
        (("rnu",), "No such command 'rnu'. Did you mean 'run'? (see: orchestra --help)"),
    ],
)
def test_bad_input_exits_with_2_and_sends_nothing(arguments: tuple[str, ...], message: str) -> None:
    called = call(*arguments)
    assert (called.exit_code, called.stdout, called.requests, called.choices) == (2, "", [], [])
    assert called.stderr == f"error: {message.replace('?;', ';')}\n"
    called = call(*arguments, "--json")
    assert called.exit_code == 2
    assert called.document == {"error": {"code": "InvalidInput", "message": message}}


@pytest.mark.parametrize(
    ("option", "value"),
    [*(("--limit", n) for n in ("0", "101", "many", "1e1")), *(("--status", s) for s in ("", "FAIL.*", "%"))],
)
def test_a_choice_out_of_range_is_refused(option: str, value: str) -> None:
    called = call("list", option, value)
    assert (called.exit_code, called.requests) == (2, [])
    assert called.stderr.startswith(f"error: Invalid value for '{option}'")


@pytest.mark.parametrize(
    ("refusal", "code"), [("InvalidRequest", "InvalidRequest"), ("NotFound", "NotFound"), ("Conflict", "Conflict")]
)
def test_what_the_orchestrator_refuses_exits_with_2(refusal: str, code: str) -> None:
    answer = {"error": {"code": refusal, "message": "input: \x1b[31mno\x1b[0m [red]good[/red]"}}
    called = call("run", "abc", "--json", answers=[answer])
    assert called.exit_code == 2
    assert called.document == {"error": {"code": code, "message": "input: no [red]good[/red]"}}
    assert called.stderr == "error: input: no [red]good[/red]\n"


def test_no_deployment_exits_with_2() -> None:
    called = call("run", "abc", refuse_connection=NoDeployment("the local stack is not up"))
    assert (called.exit_code, called.stdout, called.stderr) == (2, "", "error: the local stack is not up\n")


def test_a_failing_start_exits_with_1_and_says_what_may_have_begun() -> None:
    called = call("run", "abc", answers=[DENIED])
    assert (called.exit_code, called.stderr) == (1, "error: AWS denied access: no\n")
    called = call("run", "abc", answers=[THROTTLED])
    assert called.exit_code == 1
    assert called.stderr == f"error: AWS throttles; run {RUN_ID} may have started, see: orchestra status {RUN_ID}\n"


def test_a_fault_while_following_says_how_to_go_on() -> None:
    called = call("run", "abc", answers=[started(), THROTTLED, described(), DENIED])
    assert called.exit_code == 1
    assert called.stderr == (
        f"error: AWS denied access: no; run {RUN_ID} goes on, "
        f"pick it up again with: orchestra status {RUN_ID} --follow\n"
    )


GOES_ON = f"interrupted; run {RUN_ID} goes on, pick it up again with: orchestra status {RUN_ID} --follow"


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([KeyboardInterrupt()], f"interrupted; run {RUN_ID} may have started, see: orchestra status {RUN_ID}"),
        ([started(), KeyboardInterrupt()], GOES_ON),
        ([started(), ENDED, KeyboardInterrupt()], GOES_ON),
    ],
)
def test_ctrl_c_exits_with_130_and_says_how_to_go_on(answers: list[Any], message: str) -> None:
    called = call("run", "abc", answers=answers)
    assert (called.exit_code, called.stderr) == (130, f"error: {message}\n")
    called = call("run", "abc", "--json", answers=answers)
    assert (called.exit_code, called.document) == (130, {"error": {"code": "Interrupted", "message": message}})


def test_ctrl_c_elsewhere_exits_with_130() -> None:
    called = call("workflows", answers=[KeyboardInterrupt()])
    assert (called.exit_code, called.stdout, called.stderr) == (130, "", "error: interrupted\n")


# status, list, output


@pytest.mark.parametrize(
    ("status", "code"),
    [("RUNNING", 0), ("SUCCEEDED", 0), ("FAILING", 0), ("CANCELING", 0), ("FAILED", 1), ("CANCELED", 1)],
)
def test_status_exits_with_how_the_run_ended(status: str, code: int) -> None:
    run = described(status)
    called = call("status", RUN_ID, "--json", answers=[run])
    assert (called.exit_code, called.document, called.requests) == (code, run, [DESCRIBE])


def test_status_shows_every_task() -> None:
    called = call("status", RUN_ID, answers=[ENDED])
    assert called.exit_code == 0
    assert called.stdout.splitlines()[6:] == [
        "TASK     SERVICE  STATE      ATTEMPTS  STARTED   TIME  AFTER",
        "✓ A      a        succeeded         1   +100ms  200ms",
        "├─ ✓ B1  b1       succeeded         1   +400ms  300ms  A",
        "├─ ✓ B2  b2       succeeded         1   +400ms   1.2s  A",
        "└─ ✓ B3  b3       succeeded         1   +450ms  900ms  A",
        "✓ C      c        succeeded         1    +1.7s  500ms  B1, B2, B3",
        "",
        "✓ SUCCEEDED  5 of 5 tasks  2.3s",
    ]


def test_status_follow_is_the_rest_of_run() -> None:
    called = call("status", RUN_ID, "--follow", "--json", answers=[described(), ENDED, out([1])])
    assert (called.exit_code, called.requests) == (0, [DESCRIBE, DESCRIBE, OUTPUT])
    assert called.document == document(ENDED, [1])


def listed(**changes: Any) -> dict[str, Any]:
    run = {"run_id": RUN_ID, "workflow": "abc", "engine": "dynamodb", "status": "FAILED", "error": None}
    return {**run, "started_at": NOW, "finished_at": NOW + 2300, **changes}


def test_list_asks_for_what_was_chosen() -> None:
    answer = {"runs": [listed()], "cursor": "next"}
    called = call("list", "-w", "abc", "-s", "failed", "--limit", "5", "--cursor", "here", "--json", answers=[answer])
    assert called.exit_code == 0
    assert called.document == answer
    assert called.requests == [{"action": "list", "limit": 5, "workflow": "abc", "status": "FAILED", "cursor": "here"}]


def test_a_cursor_is_sent_as_it_is() -> None:
    called = call("list", "--cursor", "' OR #status = :x % *", answers=[{"runs": [], "cursor": None}])
    assert called.requests == [{"action": "list", "limit": 20, "cursor": "' OR #status = :x % *"}]


def test_list_is_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [
        listed(error={"task": "B2", "name": "Boom", "message": "\x1b[31mtwo\nlines"}),
        listed(run_id="r2", engine="stepfunctions", status="RUNNING", finished_at=None, started_at=NOW - 60_000),
        listed(run_id="r3", status="RUNNING", finished_at=None, started_at=None),
    ]
    called = call("list", answers=[{"runs": runs, "cursor": "1#abc"}])
    lines = called.stdout.splitlines()
    assert called.exit_code == 0
    assert [line.split() for line in lines] == [
        ["RUN", "WORKFLOW", "ENGINE", "STATE", "STARTED", "TIME", "ERROR"],
        [RUN_ID, "abc", "dynamodb", "FAILED", *lines[1].split()[4:6], "2.3s", "B2:", "Boom:", "two", "lines"],
        ["r2", "abc", "stepfunctions", "RUNNING", *lines[2].split()[4:6], "1m", "00s"],
        ["r3", "abc", "dynamodb", "RUNNING", "-"],
        ["There", "are", "more:", "--cursor", "'1#abc'"],
    ]


def test_an_empty_list() -> None:
    assert call("list", answers=[{"runs": [], "cursor": None}]).stdout == "No runs.\n"


@pytest.mark.parametrize(
    ("arguments", "value", "expected"),
    [
        ((), {"a": [1, "é"]}, '{\n  "a": [\n    1,\n    "é"\n  ]\n}\n'),
        ((), "text\n", '"text\\n"\n'),
        (("--raw",), "text\n", "text\n"),
        (("--raw",), "no end", "no end\n"),
        (("--raw",), ["x"], '[\n  "x"\n]\n'),
        (("--json",), None, '{\n  "run_id": "abc-20261123-223100-x7k2q9",\n  "output": null\n}\n'),
    ],
)
def test_output(arguments: tuple[str, ...], value: Any, expected: str) -> None:
    called = call("output", RUN_ID, *arguments, answers=[out(value)])
    assert (called.exit_code, called.stdout, called.requests) == (0, expected, [OUTPUT])


def test_output_of_a_task() -> None:
    called = call("output", RUN_ID, "B1", answers=[out(1)])
    assert (called.stdout, called.requests) == ("1\n", [{**OUTPUT, "task_id": "B1"}])


# workflows, register

BOTH = ["dynamodb", "stepfunctions"]
FLOWS = [
    {"name": "abc", "version": "0123456789abcdef", "tasks": 5, "source": "declared", "engines": BOTH},
    {"name": "fan-out", "version": "fedcba9876543210", "tasks": 62, "source": "registered", "engines": ["dynamodb"]},
]


def test_workflows() -> None:
    called = call("workflows", answers=[{"workflows": FLOWS}])
    assert called.stdout.splitlines() == [
        "WORKFLOW  TASKS  SOURCE      VERSION       ENGINES",
        "abc           5  declared    0123456789ab  dynamodb, stepfunctions",
        "fan-out      62  registered  fedcba987654  dynamodb",
    ]
    assert call("workflows", "--json", answers=[{"workflows": FLOWS}]).document == {"workflows": FLOWS}
    assert call("workflows", "--stack", "dev", answers=[{"workflows": []}]).stdout == (
        "No workflows. Register one with: orchestra register FILE --stack dev\n"
    )


@pytest.mark.parametrize(
    ("created", "first_line"),
    [(True, "Registered fan-out  version fedcba987654"), (False, "Already registered: fan-out  version fedcba987654")],
)
def test_register(*, created: bool, first_line: str, tmp_path: Path) -> None:
    path = tmp_path / "flow.yaml"
    path.write_text("name: fan-out\ntasks: {no: {service: s}}\n")
    answer = {"name": "fan-out", "version": "fedcba9876543210", "created": created}
    called = call("register", str(path), answers=[answer])
    assert called.exit_code == 0
    assert called.requests == [
        {"action": "register", "definition": {"name": "fan-out", "tasks": {"no": {"service": "s"}}}}
    ]
    assert called.stdout.splitlines() == [first_line, "Run it: orchestra run fan-out"]
    called = call("register", "-", "--json", answers=[answer], stdin=b'{"name": "x"}')
    assert (called.document, called.requests) == (answer, [{"action": "register", "definition": {"name": "x"}}])


# whatever else


@pytest.mark.parametrize("debug", ["0", "1"])
def test_a_bug_is_one_line_and_a_traceback_only_on_demand(debug: str) -> None:
    called = call("workflows", answers=[ZeroDivisionError("\x1b[31mdivision")], env={"ORCHESTRA_DEBUG": debug})
    line = "error: unexpected ZeroDivisionError: division (a bug; ORCHESTRA_DEBUG=1 shows where)"
    assert (called.exit_code, called.stdout) == (1, "")
    assert called.stderr.splitlines()[-1] == line
    assert called.stderr.startswith("Traceback") == (debug == "1")
    assert (len(called.stderr.splitlines()) == 1) == (debug == "0")


def test_every_command_has_json_and_documents_its_exit_codes() -> None:
    runs = ("demo", "run", "status", "list", "output", "cancel", "redrive", "verify", "compare")
    alone = (*runs, "workflows", "register", "asl", "doctor")
    for command in (*((name,) for name in alone), *(("dlq", verb) for verb in ("list", "show", "redrive"))):
        called = call(*command, "--help")
        assert called.exit_code == 0
        assert "--json" in called.stdout
        assert "130: interrupted" in called.stdout


@pytest.mark.parametrize("columns", ["20", "80", "300"])
@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (("--help",), None),
        (("run", "--help"), None),
        (("dlq", "--help"), None),
        (("status", RUN_ID), ENDED),
        (("list",), {"runs": [listed()], "cursor": None}),
        (("workflows",), {"workflows": FLOWS}),
        (("asl", "--help"), None),
        (("asl", "abc", "--summary"), ABC_MACHINE),
        (("compare", "--help"), None),
        (("doctor", "--help"), None),
        (("verify", "--all"), {"checked": 2_000, "violations": [], "cursor": None}),
        (("dlq", "list"), {"letters": [{"id": "m-1", "run_id": RUN_ID, "reason": "none"}], "queues": []}),
        (("dlq", "show", "m-1"), {"letter": {"id": "m-1", "body": "{}"}}),
    ],
)
def test_any_width_does(columns: str, arguments: tuple[str, ...], answer: Any) -> None:
    asked = [] if answer is None else [answer]
    called = call(*arguments, answers=asked, env={"COLUMNS": columns, "NO_COLOR": "1"})
    assert (called.exit_code, called.stderr) == (0, "")
    assert "\x1b" not in called.stdout


HOSTILE = "=1\x1b[31mred\x07\u202e\n<script> [/bold] [link=x]"


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (("list",), {"runs": [listed(run_id=HOSTILE, workflow=HOSTILE, status=HOSTILE)], "cursor": HOSTILE}),
        (("list",), {"runs": [listed(error={"task": HOSTILE, "name": HOSTILE, "message": HOSTILE})], "cursor": None}),
        (
            ("workflows",),
            {"workflows": [{**dict.fromkeys(("name", "version", "tasks", "source"), HOSTILE), "engines": [HOSTILE]}]},
        ),
        (("asl", "x", "--summary"), {**ABC_MACHINE, "name": HOSTILE, "version": HOSTILE, "notes": [HOSTILE]}),
        (
            ("asl", "x", "--summary"),
            {**ABC_MACHINE, "barriers": [{"first": [HOSTILE], "then": [HOSTILE], "waits": [[HOSTILE, HOSTILE]]}]},
        ),
        (("status", "r"), described(HOSTILE, run_id=HOSTILE, workflow=HOSTILE, engine=HOSTILE)),
        (("output", "r"), out(HOSTILE)),
        (
            ("verify", "--all"),
            {
                "checked": 1,
                "violations": [dict.fromkeys(("run_id", "invariant", "item", "what"), HOSTILE)],
                "cursor": None,
            },
        ),
        (
            ("dlq", "list"),
            {
                "letters": [dict.fromkeys(("id", "queue", "receives", "run_id", "task_id", "reason"), HOSTILE)],
                "queues": [],
            },
        ),
        (("dlq", "show", "m"), {"letter": dict.fromkeys(("id", "queue", "run_id", "reason", "body"), HOSTILE)}),
        (("dlq", "redrive", "m"), {"redriven": [HOSTILE], "refused": [{"id": HOSTILE, "reason": HOSTILE}]}),
    ],
)
def test_text_from_outside_is_text_in_every_view(arguments: tuple[str, ...], answer: Any) -> None:
    called = call(*arguments, answers=[answer])
    assert "red" in called.stdout
    assert "<script> [/bold] [link=x]" in called.stdout
    assert not any(character in called.stdout for character in "\x1b\x07\u202e")


def test_a_version_is_printed() -> None:
    called = call("--version")
    assert (called.exit_code, called.stdout.split()[0]) == (0, "orchestra")
    assert json.dumps(called.stdout.split()[1]).strip('"')[0].isdigit()
