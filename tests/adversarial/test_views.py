"""Text from task services in every view: the terminal gets no control characters, and a log's line stays one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.payload import Json
from tests.adversarial.product import Product, settled
from tests.support.deployed import System

HOSTILE = '\x1b[31m=HYPERLINK("http://x")\x1b]0;title\x07\r\n\u202e<script>alert(1)</script>[link=x]'
SHOWN = '=HYPERLINK("http://x") <script>alert(1)'
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")


def failed(name: str, message: str) -> Product:
    def task(event: Mapping[str, Json]) -> Json:
        raise type(name, (Exception,), {})(message)

    return settled(task=task)


@pytest.mark.parametrize("arguments", [("list",), ("status", "r"), ("run", "abc", "--run-id", "r")])
def test_an_error_is_one_line_of_plain_text(arguments: tuple[str, ...]) -> None:
    called = failed("Boom", HOSTILE).orchestra(*arguments)
    assert called.exit_code in {0, 1}
    assert not CONTROLS.search(called.stdout + called.stderr)
    assert sum(SHOWN in line for line in called.stdout.splitlines()) >= 1


@pytest.mark.parametrize("arguments", [("output", "r"), ("output", "r", "--json"), ("output", "r", "A")])
def test_an_output_is_json_without_control_characters(arguments: tuple[str, ...]) -> None:
    value = {HOSTILE: [HOSTILE]}
    called = settled(task=lambda _: value).orchestra(*arguments)
    assert called.exit_code == 0
    shown = json.loads(called.stdout)
    assert value == (shown["output"] if "--json" in arguments else shown)
    assert not CONTROLS.search(called.stdout)


@settings(max_examples=20)  # each is two commands
@given(st.text(max_size=300))
def test_any_text_of_an_error_comes_through_as_plain_text(text: str) -> None:
    product = failed("Boom", text.encode(errors="replace").decode())
    for arguments in (("list",), ("status", "r")):
        called = product.orchestra(*arguments)
        assert not CONTROLS.search(called.stdout)
        assert called.exit_code in {0, 1}


def test_a_log_s_line_stays_one_and_holds_no_payload(system: System) -> None:
    def task(event: Mapping[str, Json]) -> Any:
        raise ValueError(HOSTILE)

    system.services.run = task
    system.ask(action="start", workflow="abc", run_id="r", input=HOSTILE)
    system.ask(action=HOSTILE)
    system.ask(action="describe", run_id=HOSTILE)
    system.settle()
    text = system.output().text  # every line of which has been read as JSON
    assert not CONTROLS.search(text.replace("\n", ""))
    assert "alert(1)" not in "".join(line for line in text.splitlines() if '"refused"' not in line)
