"""`orchestra verify`: what it sends, prints and exits with."""

from __future__ import annotations

from typing import Any

import pytest

from cli.errors import RemoteError
from tests.cli.fake import RUN_ID, call

BAD = {"run_id": RUN_ID, "invariant": "S4", "item": "C", "what": "is \x1b[31mREADY\x1b[0m, and B1\nis FAILED"}
LATER = {"run_id": "=HYPERLINK(1)", "invariant": "S1", "item": "RUN", "what": "<script>"}


def page(checked: int, *violations: dict[str, str], cursor: str | None = None) -> dict[str, Any]:
    return {"checked": checked, "violations": list(violations), "cursor": cursor}


def test_a_run_that_is_as_it_must_be() -> None:
    called = call("verify", RUN_ID, answers=[page(1)])

    assert (called.exit_code, called.stderr) == (0, "")
    assert called.requests == [{"action": "verify", "run_id": RUN_ID}]
    assert called.stdout == "✓ 1 run checked, no violations\n"


def test_all_runs_are_checked_page_by_page() -> None:
    called = call("verify", "--all", answers=[page(1000, cursor="a"), page(1000, cursor="b"), page(7)])

    assert called.exit_code == 0
    assert called.requests == [
        {"action": "verify", "limit": 20},
        {"action": "verify", "limit": 20, "cursor": "a"},
        {"action": "verify", "limit": 20, "cursor": "b"},
    ]
    assert called.stdout == "✓ 2,007 runs checked, no violations\n"


def test_violations_are_a_table_and_an_exit_code_of_1() -> None:
    called = call("verify", "--all", answers=[page(1, BAD, cursor="a"), page(1, LATER)])

    assert called.exit_code == 1
    assert called.stdout.splitlines() == [
        "RUN                         RULE  ITEM",
        "abc-20261123-223100-x7k2q9  S4    C",
        "  is READY, and B1 is FAILED",
        "=HYPERLINK(1)               S1    RUN",
        "  <script>",
        "",
        "✗ 2 runs checked, 2 violations",
    ]


@pytest.mark.parametrize(("pages", "code"), [([page(3)], 0), ([page(2, BAD, cursor="a"), page(1)], 1)])
def test_json_is_one_document_of_all_pages(pages: list[dict[str, Any]], code: int) -> None:
    called = call("verify", "--all", "--json", answers=pages)

    assert (called.exit_code, called.stderr) == (code, "")
    assert called.document == {"checked": 3, "violations": [v for p in pages for v in p["violations"]]}


@pytest.mark.parametrize("arguments", [(), (RUN_ID, "--all")])
def test_it_is_one_run_or_all(arguments: tuple[str, ...]) -> None:
    called = call("verify", *arguments)

    assert (called.exit_code, called.requests) == (2, [])
    assert called.stderr == "error: RUN: give the id of a run, or --all\n"


def test_pages_that_take_too_long_become_smaller() -> None:
    late = RemoteError("timed out", passing=True)
    called = call("verify", "--all", answers=[page(20, cursor="a"), late, late, page(1, cursor="b"), page(1)])

    assert (called.exit_code, called.stdout) == (0, "✓ 22 runs checked, no violations\n")
    assert [(request["limit"], request.get("cursor")) for request in called.requests] == [
        (20, None),
        (20, "a"),
        (4, "a"),
        (1, "a"),
        (1, "b"),
    ]


def test_what_fails_at_the_smallest_page_has_failed() -> None:
    late = RemoteError("timed out", passing=True)
    called = call("verify", "--all", answers=[late, late, late])

    assert (called.exit_code, called.stderr) == (1, "error: timed out; 0 runs checked so far, no violations\n")


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [(KeyboardInterrupt(), 130, "interrupted"), (RemoteError("AWS denied access"), 1, "AWS denied access")],
)
def test_what_was_found_before_it_was_interrupted_is_said(fault: BaseException, code: int, said: str) -> None:
    called = call("verify", "--all", answers=[page(20, BAD, cursor="a"), fault])

    assert (called.exit_code, called.stdout) == (code, "")
    assert called.stderr == f"error: {said}; 20 runs checked so far, 1 violation\n"
