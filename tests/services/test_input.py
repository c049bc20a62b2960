"""The four services that read the text have a copy each of the rule for it; here the copies are held to one answer."""

import hashlib
import json
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

READERS = ["a", "b1", "b2", "b3"]
LIMIT_BYTES = 262_144  # of an output, and of a run's input
Call = Callable[[str, object], Any]

NOT_TEXTS = {
    "null": (None, "it is null"),
    "a number": (7, "it is a number"),
    "a fraction": (0.5, "it is a number"),
    "a boolean": (False, "it is a boolean"),
    "a list": (["text"], "it is a list"),
    "an empty object": ({}, 'it is an object without "text"'),
    "a null text": ({"text": None}, 'it is an object whose "text" is null'),
    "a nested text": ({"text": {"text": "a"}}, 'it is an object whose "text" is an object'),
    "half a surrogate pair": ("a\ud83d", "it holds a lone surrogate, which UTF-8 cannot express"),
    "half a pair in an object": ({"text": "\ude00"}, "it holds a lone surrogate, which UTF-8 cannot express"),
}


@pytest.mark.parametrize(("input_", "found"), NOT_TEXTS.values(), ids=NOT_TEXTS.keys())
def test_what_is_not_a_text_is_refused_in_the_same_words(call: Call, input_: object, found: str) -> None:
    errors = [call(name, {"input": input_, "upstream": {}}).get("error") for name in READERS]
    assert errors[0]["name"] == "InvalidInput"
    assert errors[0]["message"].endswith(f", and {found}")
    assert errors == [errors[0]] * 4


def test_a_missing_input_is_null(call: Call) -> None:
    errors = [call(name, {"upstream": {}})["error"] for name in READERS]
    assert errors == [call("a", {"input": None})["error"]] * 4


def _read(call: Call, text: str) -> None:
    """Check what holds for every text: all read the same one, answer within the limit, and make a report of it."""
    outputs: dict[str, Any] = {}
    for name in READERS:
        event = {"input": text, "upstream": {"A": outputs["A"]} if outputs else {}}
        answer = call(name, event)
        assert answer == call(name, {**event, "input": {"text": text}})
        outputs[name.upper()] = answer["output"]
        assert outputs[name.upper()]["sha256"] == hashlib.sha256(text.encode()).hexdigest()
        assert len(json.dumps(answer["output"])) < 8_000 < LIMIT_BYTES
    # B2 finds words by the categories of Python's Unicode, and B1 by those of Node's.
    assert outputs["B1"]["total_words"] == outputs["B2"]["words"]
    del outputs["A"]  # in A -> (B1, B2, B3) -> C it reaches C through the branches
    report = call("c", {"upstream": outputs})["output"]
    assert report["counts"]["bytes"] == report["compressibility"]["bytes"] == len(text.encode())


def test_every_service_takes_the_text(call: Call, text: str) -> None:
    _read(call, text)


# Without the characters that are younger than Unicode 3.2 (but for some emoji): where one of the runtimes has the newer
# Unicode, a new letter makes a word to it alone.
_OLD = st.characters(exclude_categories=["Cs"]).filter(lambda c: unicodedata.ucd_3_2_0.category(c) != "Cn")


@given(st.text(_OLD | st.sampled_from("👩🚀🏽🇯\ufe0f\u200d"), max_size=60))
@settings(max_examples=60, deadline=None)
def test_every_service_takes_any_text(call: Call, text: str) -> None:
    _read(call, text)
