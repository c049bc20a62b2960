"""What JSONata's expressions come to."""

from __future__ import annotations

import pytest

from local.bootstrap.state_queries import evaluate
from local.bootstrap.state_values import Json, QueryError


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("$x", None),
        ("null", None),
        ("$y", [1, None]),
        ("$y[0] + 1", 2),
        ("[$y, 3]", [1, None, 3]),
        ("{'a': $x, 'b': $nope}", {"a": None}),
        ("$map([1, 2], function($n) { $n * 2 })", [2, 4]),
        ("$big", 2**70),
    ],
)
def test_values(expression: str, value: Json) -> None:
    found = evaluate(expression, {"x": None, "y": [1, None], "big": 2**70})
    assert (found, type(found)) == (value, type(value))  # and no list of the library's own


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("$nope", "returned nothing (undefined)."),
        ("$x.a", "returned nothing (undefined)."),
        ("'a' + 1", "threw an error during evaluation. T2001: The left side of the + operator must evaluate to"),
        ("function($n) { $n }", "threw an error during evaluation. "),
        ("$nothing()", "threw an error during evaluation. "),
        ("1 +", "threw an error during evaluation. "),
        ("[" * 100 + "1" + "]" * 100, "threw an error during evaluation. D1011: Stack overflow."),
    ],
)
def test_what_has_no_value(expression: str, problem: str) -> None:
    with pytest.raises(QueryError) as error:
        evaluate(expression, {"x": {}})
    assert str(error.value).startswith(problem)


def test_functions_can_be_added() -> None:
    assert evaluate("$twice('a')", {}, lambda parsed: parsed.register_lambda("twice", lambda text: text * 2)) == "aa"
