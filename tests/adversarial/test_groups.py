"""The table in README.md: every group has its tests, or says why there are none yet; and the tests are there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| (\d+) \| (.+?) \| (.+) \|$", re.MULTILINE)
NAMED = re.compile(r"`([a-z_0-9/]+\.py)::(test_[a-z_0-9]+)`")
GROUPS = {
    int(row[1]): row[3] for row in ROW.finditer(Path(__file__).with_name("README.md").read_text(encoding="utf-8"))
}


@cache
def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_group_has_a_row() -> None:
    assert list(GROUPS) == list(range(1, 26))


@pytest.mark.parametrize("group", GROUPS)
def test_what_a_row_names_is_there(group: int) -> None:
    row = GROUPS[group]
    named = NAMED.findall(row)
    assert named or row.startswith("not yet: ")
    for path, name in named:
        assert name in names_in(HOME / path), f"{path} has no {name}"
    assert len(named) == row.count("`") // 2, "each name is a path and a test"


def test_every_test_of_this_folder_is_of_a_group() -> None:
    named = {(HOME / path, name) for row in GROUPS.values() for path, name in NAMED.findall(row)}
    for path in Path(__file__).parent.glob("test_*.py"):
        if path != Path(__file__):
            assert {name for named_path, name in named if named_path == path}, f"{path.name} is in no row"
