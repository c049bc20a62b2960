"""Strict JSON: what is accepted is compact and equal when read again; what is refused is named in one line."""

from __future__ import annotations

import collections
import decimal
import enum
import json
import types
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration import payload
from orchestration.errors import PayloadError, PayloadTooLarge

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=20,
)


def nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


@given(json_values)
def test_what_is_written_reads_as_the_same_value(value: object) -> None:
    text = payload.dump(value, what="input")
    again = payload.parse(text, what="input")
    assert repr(again) == repr(value)  # so that 1, 1.0, True and -0.0 stay apart
    assert payload.parse(text.encode(), what="input") == again
    assert payload.dump(again, what="input") == text


@given(st.text() | st.binary())
def test_any_text_is_a_value_or_a_payload_error(text: str | bytes) -> None:
    refused = None
    try:
        value = payload.parse(text, what="input")
    except PayloadError as error:
        refused = str(error)
    if refused is None:
        assert value == json.loads(text)
    else:
        assert refused.startswith(("input: is not ", "input: holds the number "))
        assert "\n" not in refused


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        ("", '""'),
        ({}, "{}"),
        ([1, 1.0, True, -0.0], "[1,1.0,true,-0.0]"),
        ({"b": 1, "a": {"d": [], "c": None}}, '{"b":1,"a":{"d":[],"c":null}}'),
        ("é\u2028\x00😀", '"é\u2028\\u0000😀"'),
        (2**64 + 1, "18446744073709551617"),
        ({"__proto__": 1, "": 2}, '{"__proto__":1,"":2}'),
    ],
)
def test_compact_text(value: object, text: str) -> None:
    assert payload.dump(value, what="input") == text


def test_canonical_text_has_its_keys_sorted_at_every_level() -> None:
    assert payload.dump_sorted({"b": [{"z": 1, "y": "é"}], "a": None}) == '{"a":null,"b":[{"y":"é","z":1}]}'


def test_a_digest_is_that_of_the_utf8_text() -> None:
    assert payload.digest("é") == "4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c"


class Colour(enum.Enum):
    RED = "red"


Point = collections.namedtuple("Point", "x y")  # noqa: PYI024 - the plain kind
ITSELF: list[Any] = []
ITSELF.append(ITSELF)
ITSELF_BY_KEY: dict[str, Any] = {}
ITSELF_BY_KEY["a"] = [ITSELF_BY_KEY]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ((1, 2), "holds a tuple, which JSON cannot express"),
        ({"a": [Point(1, 2)]}, "holds a Point, which JSON cannot express"),
        ({1}, "holds a set, which JSON cannot express"),
        (b"a", "holds a bytes, which JSON cannot express"),
        (object(), "holds a object, which JSON cannot express"),
        (Colour.RED, "holds a Colour, which JSON cannot express"),
        (iter([1]), "holds a list_iterator, which JSON cannot express"),
        (types.MappingProxyType({}), "holds a mappingproxy, which JSON cannot express"),
        ({1: 2}, "has the key 1, and JSON keys are strings"),
        ({0: 2}, "has the key 0, and JSON keys are strings"),
        ({None: 2}, "has the key None, and JSON keys are strings"),
        ({False: 2}, "has the key False, and JSON keys are strings"),
        ([{(): 2}], "has the key (), and JSON keys are strings"),
        (float("nan"), "holds nan, which JSON cannot express"),
        ({"a": float("inf")}, "holds inf, which JSON cannot express"),
        ([float("-inf")], "holds -inf, which JSON cannot express"),
        ("\ud800", "holds a lone surrogate, which UTF-8 cannot express"),
        ({"\udfff": 1}, "holds a lone surrogate, which UTF-8 cannot express"),
    ],
)
def test_what_json_cannot_express_is_refused(value: object, problem: str) -> None:
    with pytest.raises(PayloadError) as error:
        payload.dump(value, what="input")
    # Newer Pythons name the number in their own message.
    assert str(error.value).replace(": nan)", ")").replace(": inf)", ")").replace(": -inf)", ")") == f"input: {problem}"


@pytest.mark.parametrize("value", [ITSELF, ITSELF_BY_KEY, nested(100_000)], ids=["list", "dict", "deep"])
def test_what_has_no_end_is_refused(value: object) -> None:
    with pytest.raises(PayloadError) as error:
        payload.dump(value, what="input")
    assert str(error.value) == f"input: is nested more than {payload.MAX_DEPTH} levels deep, or holds itself"


def test_depth_is_limited_by_a_number_and_not_by_the_stack() -> None:
    """Else a value that one function accepted would be one that the next, called more deeply, cannot read."""
    text = "[" * payload.MAX_DEPTH + "0" + "]" * payload.MAX_DEPTH
    assert payload.dump(nested(payload.MAX_DEPTH), what="input") == text
    assert payload.parse(text, what="input") == nested(payload.MAX_DEPTH)
    with pytest.raises(PayloadError, match=r"^input: is nested more than \d+ levels deep, or holds itself$"):
        payload.dump(nested(payload.MAX_DEPTH + 1), what="input")


def test_what_is_shared_but_has_an_end_is_accepted() -> None:
    shared = [1, {"a": 2}]
    assert payload.dump({"x": shared, "y": [shared, shared]}, what="input") == (
        '{"x":[1,{"a":2}],"y":[[1,{"a":2}],[1,{"a":2}]]}'
    )


def test_what_grows_without_end_by_sharing_is_refused_at_once() -> None:
    value: list[Any] = ["lol"]
    for _ in range(60):
        value = [value, value]
    with pytest.raises(PayloadTooLarge) as error:
        payload.dump(value, what="input")
    assert str(error.value) == (
        "input: is more than 262144 bytes as JSON, and the limit is 262144; pass a reference to it instead (an S3 key)"
    )


@pytest.mark.parametrize("character", ["x", "é", "😀"])
def test_the_limit_is_counted_in_bytes_of_utf8(character: str) -> None:
    size = len(character.encode())
    text = character * ((payload.LIMIT_BYTES - 2) // size)
    text += "x" * (payload.LIMIT_BYTES - 2 - len(text.encode()))
    assert len(payload.dump(text, what="input").encode()) == payload.LIMIT_BYTES
    assert len(payload.dump(text[:-1], what="input").encode()) < payload.LIMIT_BYTES
    with pytest.raises(PayloadTooLarge) as error:
        payload.dump(text + "x", what="input")
    assert str(error.value) == (
        "input: is 262145 bytes as JSON, and the limit is 262144; pass a reference to it instead (an S3 key)"
    )


def test_many_small_values_are_accepted_up_to_the_limit() -> None:
    value = [0] * ((payload.LIMIT_BYTES - 2) // 2)
    assert len(payload.dump(value, what="input")) == payload.LIMIT_BYTES - 1


def test_another_limit_allows_more_values_too() -> None:
    """A task's event holds the outputs of many tasks: more values than one payload has bytes."""
    outputs = [[0] * 131_000 for _ in range(3)]
    assert len(payload.dump(outputs, what="event", limit=6_000_000)) == 3 * 262_001 + 4


def test_a_limit_may_be_another() -> None:
    assert payload.dump("xxx", what="input", limit=5) == '"xxx"'
    with pytest.raises(PayloadTooLarge, match="is 6 bytes as JSON, and the limit is 5;"):
        payload.dump("xxxx", what="input", limit=5)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a":1,"b":2,"a":3}', "is not JSON (the key 'a' is there twice)"),
        ('[{"x":{"":1,"":1}}]', "is not JSON (the key '' is there twice)"),
        ("NaN", "is not JSON (NaN is not a JSON number)"),
        ("[-Infinity]", "is not JSON (-Infinity is not a JSON number)"),
        ("1e400", "is not JSON (the number 1e400 is too large)"),
        ('{"a":-1e309}', "is not JSON (the number -1e309 is too large)"),
        ("", "is not JSON (Expecting value: line 1 column 1 (char 0))"),
        ("{", "is not JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1))"),
        ("[1,]", "is not JSON (Expecting value: line 1 column 4 (char 3))"),
        ("1 2", "is not JSON (Extra data: line 1 column 3 (char 2))"),
        ("'a'", "is not JSON (Expecting value: line 1 column 1 (char 0))"),
        ('"a\nb"', "is not JSON (Invalid control character at: line 1 column 3 (char 2))"),
        (b"\xff", "is not UTF-8"),
        (b'"\xed\xa0\x80"', "is not UTF-8"),
        ("[" * 100_000, "is nested too deeply"),
        ('{"a":' * 100_000, "is nested too deeply"),
    ],
)
def test_what_is_not_strict_json_is_refused(text: str | bytes, problem: str) -> None:
    with pytest.raises(PayloadError) as error:
        payload.parse(text, what="input")
    # Later Pythons point at the comma of `[1,]`, and say so.
    assert (
        str(error.value).replace(
            "Illegal trailing comma before end of array: line 1 column 3 (char 2)",
            "Expecting value: line 1 column 4 (char 3)",
        )
        == f"input: {problem}"
    )


@pytest.mark.parametrize(
    ("text", "number", "rounded"),
    [
        ("3.141592653589793238462643", "3.141592653589793238462643", "3.141592653589793"),
        ("[-0.3333333333333333333333333333]", "-0.3333333333333333333333333333", "-0.3333333333333333"),
        ("1234567890123456.78", "1234567890123456.78", "1234567890123456.8"),
        ("9007199254740993.0", "9007199254740993.0", "9007199254740992.0"),  # 2 ** 53 + 1
        ("9.007199254740993e15", "9.007199254740993e15", "9007199254740992.0"),
        ("0.12345678901234567", "0.12345678901234567", "0.12345678901234566"),
        ("1e-400", "1e-400", "0.0"),
        ("-1e-400", "-1e-400", "-0.0"),
        ("3e-324", "3e-324", "5e-324"),
        ("0." + "3" * 1_000_000, "0." + "3" * 35 + "...", "0.3333333333333333"),
    ],
    ids=lambda text: text[:20],
)
def test_a_number_that_would_be_rounded_is_refused(text: str, number: str, rounded: str) -> None:
    with pytest.raises(PayloadError) as error:
        payload.parse(text, what="input")
    assert str(error.value) == (
        f"input: holds the number {number}, which would be rounded to {rounded}; send it as a string"
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1", 0.1),
        ("19.99", 19.99),
        ("0.10", 0.1),
        ("0.30000000000000000000", 0.3),  # as databases write a NUMERIC
        ("0.10000000000000001", 0.1),  # with 17 digits, which are always enough
        ("0.1000000000000000055511151231257827021181583404541015625", 0.1),  # with all that it has
        ("5.960464477539063e-08", 2.0**-24),  # the next digit is a 5, and the last
        ("1E+2", 100.0),
        ("1.50e2", 150.0),
        ("123456789012345.67", 123456789012345.67),
        ("9007199254740992.0", 2.0**53),
        ("4.9E-324", 5e-324),  # as Java writes it
        ("2.2250738585072014e-308", 2.2250738585072014e-308),
        ("1.7976931348623157e308", 1.7976931348623157e308),
        ("100000000000000000000000.0", 1e23),
        ("0.0", 0.0),
        ("-0.0", -0.0),
        ("0.000e-999", 0.0),
    ],
)
def test_a_number_that_a_double_holds_is_read_however_it_is_written(text: str, value: float) -> None:
    assert repr(payload.parse(text, what="input")) == repr(value)


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(17, 60))
def test_every_double_is_read_in_its_usual_forms(value: float, digits: int) -> None:
    for text in (repr(value), f"{value:.{digits - 1}e}", f"{value:.{digits}g}"):
        assert payload.parse(text, what="input") == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**12), max_value=10**12))
def test_every_decimal_of_fifteen_digits_is_read(amount: decimal.Decimal) -> None:
    assert decimal.Decimal(repr(payload.parse(str(amount), what="input"))) == amount


def test_a_number_of_more_digits_than_python_reads_is_refused() -> None:
    with pytest.raises(PayloadError, match=r"^input: is not JSON \(Exceeds the limit"):
        payload.parse("9" * 5_000, what="input")
    with pytest.raises(PayloadError, match=r"^input: is not JSON \(Exceeds the limit"):
        payload.dump(10**5_000, what="input")


def test_an_escaped_lone_surrogate_can_be_read_but_not_passed_on() -> None:
    value = payload.parse('"\\ud800"', what="output")
    with pytest.raises(PayloadError, match="holds a lone surrogate"):
        payload.dump(value, what="output")
