"""The rule of --input, as a table of what it is given and what comes of it."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import input as run_input
from cli.errors import BadInput

LIMIT = 262_144
NOT_JSON = "--input: is not JSON (Expecting value: line 1 column 1 (char 0))"
TEXT_HINT = "; a file of text is named .txt or .md"


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        ("x.json", b'{"a": [1, 2.5, null, true]}', {"a": [1, 2.5, None, True]}),
        ("x.JSON", b"3", 3),
        ("x.json", b'\xef\xbb\xbf"bom"', "bom"),
        ("x.json", b"123456789012345678901234567890", 123456789012345678901234567890),
        ("x.txt", b'{"a": 1}', '{"a": 1}'),
        ("x.TXT", b"42", "42"),
        ("x.md", b"# Title\r\n", "# Title\r\n"),
        ("x.txt", b"\xef\xbb\xbfb\xc3\xa9", "bé"),
        ("x.txt", b"", ""),
        ("x.txt", b"nul\x00", "nul\x00"),
        ("x", b"42", 42),
        ("x.data", b"plain words", "plain words"),
        ("", b'"json"\n', "json"),
        ("", b"{not json", "{not json"),
        ("", b"", ""),
        ("", b"nan", "nan"),
    ],
)
def test_a_file_is_json_or_text_by_its_name_and_content(name: str, raw: bytes, expected: Any) -> None:
    assert run_input.parse(raw, name=name, what="it") == expected


@pytest.mark.parametrize(
    ("name", "raw", "message"),
    [
        ("x.json", b"words", "it: is not JSON (Expecting value: line 1 column 1 (char 0))" + TEXT_HINT),
        ("x.json", b"", "it: is not JSON (Expecting value: line 1 column 1 (char 0))" + TEXT_HINT),
        ("x.json", b"[NaN]", "it: is not JSON (NaN is not a JSON number)" + TEXT_HINT),
        ("", b"[NaN]", "it: is not JSON (NaN is not a JSON number)"),
        ("", b"-Infinity", "it: is not JSON (-Infinity is not a JSON number)"),
        ("", b"1e400", "it: is not JSON (the number 1e400 is too large)"),
        ("", b'{"a": 1, "a": 2}', "it: is not JSON (the key 'a' is there twice)"),
        ("", b'"\\ud800"', "it: holds a lone surrogate, which UTF-8 cannot express"),
        ("x.json", b'"\\ud800"', "it: holds a lone surrogate, which UTF-8 cannot express"),
        ("x.txt", b"caf\xe9", "it: is not UTF-8 (byte 3); convert it first, e.g. with iconv"),
        ("", b"\xff\xfea\x00", "it: is not UTF-8 (byte 0); convert it first, e.g. with iconv"),
        ("", b"[" * 100_000, "it: is nested too deeply"),
    ],
)
def test_what_is_refused_is_refused_in_one_line(name: str, raw: bytes, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        run_input.parse(raw, name=name, what="it")
    assert str(refused.value) == message


@pytest.mark.parametrize("suffix", [".txt", ".json", ""])
def test_the_limit_is_of_compact_json_and_exact(suffix: str) -> None:
    raw = json.dumps("é" * ((LIMIT - 2) // 2), ensure_ascii=False).encode()
    text = raw[1:-1] if suffix == ".txt" else b"  " + raw  # white space around it does not count
    assert run_input.parse(text, name=f"x{suffix}", what="it") == "é" * ((LIMIT - 2) // 2)
    more = text.replace("é".encode(), "éa".encode(), 1)
    with pytest.raises(BadInput) as refused:
        run_input.parse(more, name=f"x{suffix}", what="it")
    assert str(refused.value) == (
        "it: is 262145 bytes as JSON, and the limit is 262144; pass a reference to it instead (an S3 key)"
    )


@pytest.mark.parametrize(
    ("argument", "expected"),
    [(None, None), ("null", None), ('{"text": "hi"}', {"text": "hi"}), (' "x" ', "x"), ("-1", -1)],
)
def test_inline_is_json(argument: str | None, expected: Any) -> None:
    assert run_input.resolve(argument) == expected


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (
            "hello",
            f"{NOT_JSON}; give a text as JSON, --input '\"hello\"', or from a file, --input @FILE.txt",
        ),
        (
            "",
            f"{NOT_JSON}; give a text as JSON, --input '\"\"', or from a file, --input @FILE.txt",
        ),
        ("NaN", "--input: is not JSON (NaN is not a JSON number)"),
        ('{"a":1,"a":2}', "--input: is not JSON (the key 'a' is there twice)"),
        ("@", "--input @: the name of the file is missing; write --input @FILE"),
        ("@/nowhere/x.json", "--input @/nowhere/x.json: cannot be read: No such file or directory"),
        ("@/", "--input @/: cannot be read: Is a directory"),
        ("@~0/x.json", "--input @~0/x.json: cannot be read: there is no home directory of that user"),
        ("@a\0b", "--input @a\0b: cannot be read: embedded null byte"),
        (
            json.dumps("x" * LIMIT),
            "--input: is 262146 bytes as JSON, and the limit is 262144; pass a reference to it instead (an S3 key)",
        ),
    ],
)
def test_inline_and_files_that_cannot_be_used(argument: str, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        run_input.resolve(argument)
    assert str(refused.value) == message


def test_a_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "note.txt").write_bytes(b"two\nlines\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run_input.resolve(f"@{tmp_path}/note.txt") == "two\nlines\n"
    assert run_input.resolve("@~/note.txt") == "two\nlines\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret.txt"
    path.touch(mode=0)
    with pytest.raises(BadInput, match="cannot be read: Permission denied"):
        run_input.resolve(f"@{path}")


def test_a_device_that_never_ends_is_refused() -> None:
    with pytest.raises(BadInput) as refused:
        run_input.resolve("@/dev/zero")
    assert str(refused.value) == (
        "--input @/dev/zero: is larger than 4194304 bytes, the most that is read "
        "(the limit of an input is 262144 bytes as compact JSON)"
    )


def test_standard_input_that_is_closed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.TextIOWrapper(io.BytesIO())
    closed.close()
    monkeypatch.setattr("sys.stdin", closed)
    with pytest.raises(BadInput) as refused:
        run_input.resolve("-")
    assert str(refused.value) == "--input -: standard input is closed"


@given(st.binary())
def test_any_bytes_are_a_value_or_refused(raw: bytes) -> None:
    text = _utf8(raw)
    if text is None:
        with pytest.raises(BadInput, match="is not UTF-8"):
            run_input.parse(raw, name="x.txt", what="it")
    else:
        assert run_input.parse(raw, name="x.txt", what="it") == text
        try:
            value = run_input.parse(raw, name="", what="it")
        except BadInput:
            json.loads(text)  # JSON, only not strict
        else:
            assert value in (text, _json(text))


def _utf8(raw: bytes) -> str | None:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
