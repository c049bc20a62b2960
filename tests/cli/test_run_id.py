from __future__ import annotations

import re

import pytest

from cli.errors import BadInput
from cli.run_id import new_run_id, new_token, require_id
from tests.cli.fake import NOW


def test_a_run_id_says_which_workflow_and_when() -> None:
    assert new_run_id("abc", NOW, "x7k2q9") == "abc-20261123-223100-x7k2q9"


def test_a_long_name_is_cut_so_that_the_id_is_one() -> None:
    assert new_run_id("w" * 64, NOW, "x7k2q9") == "w" * 41 + "-20261123-223100-x7k2q9"
    assert len(new_run_id("w" * 64, NOW)) == 64


def test_ids_of_a_workflow_sort_by_time() -> None:
    moments = [0, NOW - 86_400_000, NOW, NOW + 1000, NOW + 86_400_000]
    ids = [new_run_id("abc", moment) for moment in moments]
    assert ids == sorted(ids)


def test_tokens_differ() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(re.fullmatch(r"[a-z2-9]{6}", token) for token in tokens)


@pytest.mark.parametrize("value", ["a", "A_b-9", "x" * 64])
def test_ids(value: str) -> None:
    assert require_id("RUN", value) == value


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("", "''"),
        ("a#TASK#b", "'a#TASK#b'"),
        ("../x", "'../x'"),
        ("a\n", "'a\\n'"),
        ("é\u202e", "'\\xe9\\u202e'"),
        ("x" * 100, "'" + "x" * 67 + "...'"),
    ],
)
def test_what_is_no_id_is_refused(value: str, shown: str) -> None:
    with pytest.raises(BadInput) as refused:
        require_id("RUN", value)
    assert str(refused.value) == f"RUN: {shown} is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"
