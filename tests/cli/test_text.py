from __future__ import annotations

import json
from datetime import UTC

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.text import clean, clean_lines, countdown, counted, duration, moment, pretty_json


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("a\x1b]0;title\x07b", "ab"),
        ("a\x1b]8;;http://x\x1b\\b", "ab"),
        ("a\x1bPq data\x1b\\b", "ab"),
        ("a\x1b]never ends", "a"),
        ("a\x1b", "a"),
        ("a\x1bcb", "ab"),
        ("bell\x07 back\x08 nul\x00 del\x7f", "bell back nul del"),
        ("two\nlines\r\nand\ttabs", "two lines and tabs"),
        ("over\rwritten", "overwritten"),
        ("right\u202eto left\u200b, \ufeffmark", "rightto left, mark"),
        ("line\u2028separator", "lineseparator"),
        ("\ud800lone", "lone"),
        ("[bold]markup[/bold] :smile:", "[bold]markup[/bold] :smile:"),
        ("é 日本 🎉", "é 日本 🎉"),
        (12, "12"),
    ],
)
def test_a_text_from_outside_is_one_line_without_controls(text: object, expected: str) -> None:
    assert clean(text) == expected


def test_lines_and_tabs_can_stay() -> None:
    assert clean_lines("a\r\nb\tc\x1b[2Jd\r") == "a\nb\tcd"


@given(st.text())
def test_no_text_brings_a_control_character_through(text: str) -> None:
    assert not [c for c in clean(text) if not c.isprintable() and not c.isspace() and ord(c) < 0x100]
    assert clean(clean(text)) == clean(text)


@settings(max_examples=40)
@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_pretty_json_is_the_same_value_and_printable(value: object) -> None:
    for ascii_only in (False, True):
        text = pretty_json(value, ascii_only=ascii_only)
        assert json.loads(text) == value
        assert text == clean_lines(text)
    assert text.isascii()


def test_pretty_json_escapes_what_a_terminal_acts_on() -> None:
    assert pretty_json("\x1b[31m\x9b\u202eé\ud800") == '"\\u001b[31m\\u009b\\u202eé\\ud800"'


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [
        (-5, "0ms"),
        (0, "0ms"),
        (999, "999ms"),
        (999.6, "1.0s"),
        (1_949, "1.9s"),
        (59_999, "59.9s"),
        (60_000, "1m 00s"),
        (3_599_999, "59m 59s"),
        (3_600_000, "1h 00m"),
        (86_399_999, "23h 59m"),
        (86_400_000, "1d 0h"),
        (31_622_400_000, "366d 0h"),
    ],
)
def test_a_duration_has_two_units_at_most(milliseconds: float, expected: str) -> None:
    assert duration(milliseconds) == expected


@pytest.mark.parametrize(
    ("epoch_ms", "expected"),
    [(None, "-"), (1_795_473_060_999, "2026-11-23 22:31:00"), (10**18, "-"), (-(10**18), "-")],
)
def test_a_moment_that_is_none_is_a_dash(epoch_ms: int | None, expected: str) -> None:
    assert moment(epoch_ms, UTC) == expected


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [(-5, "0s"), (0, "0s"), (1, "1s"), (12_000, "12s"), (12_001, "13s"), (59_001, "1m 00s"), (3_600_000, "1h 00m")],
)
def test_a_countdown_is_of_whole_seconds(milliseconds: float, expected: str) -> None:
    assert countdown(milliseconds) == expected


@pytest.mark.parametrize(("number", "expected"), [(0, "0 runs"), (1, "1 run"), (2_000, "2,000 runs")])
def test_a_count(number: int, expected: str) -> None:
    assert counted(number, "run") == expected
