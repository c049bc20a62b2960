from __future__ import annotations

from typing import Any

import pytest

from local.plan import Decision, Operation, Step, count, decide, deletion_order, generated_name, short_type


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (None, {"a": 1}, Decision(Operation.CREATE)),
        ({"a": 1}, {"a": 1}, Decision(Operation.SAME)),
        ({"a": 1}, {"a": 2}, Decision(Operation.UPDATE, ("a",))),
        ({"a": 1}, {"a": 1, "b": 2}, Decision(Operation.UPDATE, ("b",))),
        ({"a": 1, "b": 2}, {"a": 1}, Decision(Operation.UPDATE, ("b",))),
        ({"name": "x", "a": 1}, {"name": "y", "a": 2}, Decision(Operation.REPLACE, ("a", "name"))),
        ({"skipped": 1}, {"skipped": 2}, Decision(Operation.SAME)),
        ({"a": None}, {}, Decision(Operation.SAME)),
    ],
)
def test_a_decision_is_made_from_what_differs(old: Any, new: dict[str, Any], expected: Decision) -> None:
    assert decide(old, new, replacing=("name",), ignored=("skipped",)) == expected


def test_a_star_replaces_for_any_change() -> None:
    assert decide({"a": 1}, {"a": 2}, replacing=("*",)).operation is Operation.REPLACE


def test_generated_names_are_stable_and_fit() -> None:
    name = generated_name("worker", 64, "urn")
    assert name == generated_name("worker", 64, "urn")
    assert name != generated_name("worker", 64, "another urn")
    assert len(generated_name("w" * 200, 64, "urn")) == 64


@pytest.mark.parametrize(
    ("dependencies", "order"),
    [
        ({"function": ["policy"], "policy": ["role"], "role": []}, ["function", "policy", "role"]),
        ({"a": [], "b": ["a", "elsewhere"]}, ["b", "a"]),
        ({"a": ["b"], "b": ["a"]}, ["a", "b"]),  # no order is right, but none is lost
        ({}, []),
    ],
)
def test_what_depends_on_another_is_deleted_first(dependencies: dict[str, list[str]], order: list[str]) -> None:
    assert deletion_order(dependencies) == order


def test_types_are_shown_as_pulumi_shows_them() -> None:
    assert short_type("aws:lambda/function:Function") == "aws:lambda:Function"
    assert short_type("docker-build:index:Image") == "docker-build:index:Image"


def test_the_count_has_every_operation() -> None:
    steps = [Step(Operation.CREATE, "u", "a:b:C", "n"), Step(Operation.SAME, "v", "a:b:C", "m")]
    assert count(steps) == {
        Operation.CREATE: 1,
        Operation.UPDATE: 0,
        Operation.REPLACE: 0,
        Operation.DELETE: 0,
        Operation.SAME: 1,
    }
