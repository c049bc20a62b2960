"""Definition files: JSON, and YAML with JSON's types and no more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.definition import parse, read
from cli.errors import BadInput

WORDS = ["on", "off", "yes", "no", "y", "n", "TRUE", "Null", "2026-11-23", "1:30"]
WORDS += ["0o17", "0x1f", "1_000", ".5", "+1", ".inf"]
"""What YAML 1.1, or some of its readers, take for something else than a string."""


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("w.json", '{"tasks": {"A": {"service": "a"}}}', {"tasks": {"A": {"service": "a"}}}),
        ("w", "{}", {}),
        ("w.yaml", "\ufeffname: w\ntasks:\n  A: {after: []}\n", {"name": "w", "tasks": {"A": {"after": []}}}),
        ("w.yml", f"[{', '.join(WORDS)}]", WORDS),
        ("w.yml", "[true, false, null, ~, '1', \"no\", !!str 1]", [True, False, None, None, "1", "no", "1"]),
        ("w.yml", "[1, -2, 0, 1.5, 1e3]", [1, -2, 0, 1.5, 1000.0]),
        ("w.yml", "on: 1\n1: 2\n1.0: 3\nnull: 4\n<<: 5\n", {"on": 1, "1": 2, "1.0": 3, "null": 4, "<<": 5}),
        ("w.yml", "text: |\n  two\n  lines\nnone:\n", {"text": "two\nlines\n", "none": None}),
        ("w.yml", "", None),
    ],
)
def test_a_definition_is_read_as_json_is(name: str, text: str, expected: Any) -> None:
    found = parse(text.encode(), name=name, what=name)
    assert json.dumps(found) == json.dumps(expected)  # 1 is not 1.0, and not true


NOT_JSON = "it: is not JSON ("
BOMB = "a: &a [x, x]\n" + "".join(f"{c}: &{c} [*{p}, *{p}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("w.json", "{", f"{NOT_JSON}Expecting property name enclosed in double quotes: line 1 column 2 (char 1))"),
        ("w.json", '{"a": 1, "a": 2}', "it: is not JSON (the key 'a' is there twice)"),
        ("w.json", '["\\ud800"]', "it: holds a lone surrogate, which UTF-8 cannot express"),
        ("w.txt", "name: w", "it: is not JSON (Expecting value: line 1 column 1 (char 0))"),
        ("w.yml", "a: 1\nb: 2\na: 3\n", "it: line 3, column 1: the key 'a' is there twice"),
        ("w.yml", "tasks:\n  1: {}\n  '1': {}\n", "it: line 3, column 3: the key '1' is there twice"),
        ("w.yml", BOMB, "it: line 1, column 4: anchors and aliases are not accepted"),
        ("w.yml", "a: *b", "it: line 1, column 4: anchors and aliases are not accepted"),
        ("w.yml", "[1, 2]: x", "it: line 1, column 1: a key must be a string"),
        (
            "w.yml",
            "!!python/object/apply:os.system [id]",
            "it: line 1, column 1: the tag '!!python/object/apply:os.system' is not accepted",
        ),
        ("w.yml", "at: !!timestamp 2026-11-23", "it: line 1, column 5: the tag '!!timestamp' is not accepted"),
        ("w.yml", "n: 1e400", "it: line 1, column 4: is not JSON (the number 1e400 is too large)"),
        ("w.yml", "a:\n\t- b", "it: line 2, column 1: found character '\\t' that cannot start any token"),
        ("w.yml", "a: 1\n--- \nb: 2", "it: line 2, column 1: but found another document"),
        ("w.yml", "[" * 1_000, "it: is nested too deeply"),
    ],
)  # fmt: skip
def test_what_is_no_definition_is_refused_in_one_line(name: str, text: str, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse(text.encode(), name=name, what="it")
    assert str(refused.value) == message


def test_nul_is_refused() -> None:
    with pytest.raises(BadInput, match=r"is not YAML \(unacceptable character"):
        parse(b"a: \x00", name="w.yml", what="it")


def test_a_file_is_read_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text("name: no")
    assert read(str(tmp_path / "w.yaml")) == {"name": "no"}
    with pytest.raises(BadInput) as refused:
        read(str(tmp_path / "none.json"))
    assert str(refused.value) == f"{tmp_path}/none.json: cannot be read: No such file or directory"
