"""Values in a state machine: whatever a user wrote reaches the task as it was, by an evaluator of JSONata."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestration.errors import WorkflowError
from orchestration.jsonata import MAX_LEVELS, literal
from orchestration.payload import Json
from tests.support.jsonata import evaluated

hostile = st.sampled_from(
    [
        "{% $states.input %}",
        "{%%}",
        "{% %}",
        "%}",
        "{%",
        "$.x",
        "$$.Execution",
        "States.Format('{}', 1)",
        '{% "',
        "\\u0025}",
        "a.$",
    ]
)
texts = hostile | st.text(max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": [1, None, "x"], "b": {"c": True}}, {"a": [1, None, "x"], "b": {"c": True}}),
        ("$.x", "$.x"),
        ("States.Format('{}', $.x)", "States.Format('{}', $.x)"),
        ("{% $states.input %}", '{% "{\\u0025 $states.input \\u0025}" %}'),
        ({"a.$": "$.x"}, '{% {"a.$":"$.x"} %}'),
        ({"n": 2**60}, {"n": 2**60}),
    ],
)
def test_what_a_value_becomes(value: Json, expected: Json) -> None:
    assert literal("params", value) == expected


@given(values)
@example({"a.$": [[]]})
@example({"a.$": [[1], []], "b": {"": None}})
@example([{"x.$": [[["{%"]]]}])
def test_every_value_comes_through(value: Json) -> None:
    assert evaluated(literal("params", value)) == value


def test_a_number_that_an_expression_would_round_is_refused() -> None:
    with pytest.raises(WorkflowError) as caught:
        literal("tasks.A.params", {"a.$": {"n": [2**53 + 1]}})
    assert str(caught.value) == (
        "tasks.A.params: has a whole number beyond 9007199254740992 in an object with a key such as x.$; "
        "pass it as a string"
    )


@pytest.mark.parametrize("inner", [lambda value: [value], lambda value: {"y": value}], ids=["lists", "objects"])
def test_an_expression_that_would_be_nested_too_deeply_is_refused(inner: Callable[[Json], Json]) -> None:
    deep: Json = 1
    for _ in range(MAX_LEVELS - 1):
        deep = inner(deep)
    assert evaluated(literal("params", {"a": {"x.$": deep}})) == {"a": {"x.$": deep}}
    with pytest.raises(WorkflowError) as refused:
        literal("params", {"a": {"x.$": inner(deep)}})
    assert str(refused.value) == (
        "params: is nested more than 64 levels deep in an object with a key such as x.$; rename the key"
    )
    assert literal("params", {"x": inner(deep)}) == {"x": inner(deep)}  # which is none
