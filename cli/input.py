"""What `--input` means. Reading is at the edge (`read`), the rule is pure (`parse`)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import BinaryIO

from cli.errors import BadInput
from orchestration import payload
from orchestration.errors import PayloadError
from orchestration.payload import LIMIT_BYTES, Json

TEXT_SUFFIXES = (".txt", ".md")
# A file may hold more white space than its compact form; beyond this nobody means it, and a device never ends.
MAX_RAW_BYTES = 16 * LIMIT_BYTES
INLINE = "--input"
STDIN = "--input -"


def resolve(argument: str | None) -> Json:
    """Return the value of the option `--input`. Raises BadInput with one line."""
    if argument is None:
        return None
    if argument == "-":
        return parse(read_stdin(), name="", what=STDIN)
    if argument.startswith("@"):
        what = f"--input {argument}"
        if len(argument) == 1:
            raise BadInput("--input @: the name of the file is missing; write --input @FILE")
        path = path_of(argument[1:], what)
        return parse(read_file(path, what), name=path.name, what=what)
    return parse_inline(argument)


def parse_inline(argument: str) -> Json:
    try:
        return _within_limit(payload.parse(argument, what=INLINE), INLINE)
    except PayloadError as exc:
        if _is_no_json(argument):
            example = json.dumps(argument[:20] + ("..." if len(argument) > 20 else ""), ensure_ascii=False)
            raise BadInput(
                f"{exc}; give a text as JSON, --input '{example}', or from a file, --input @FILE.txt"
            ) from None
        raise BadInput(str(exc)) from None


def parse(raw: bytes, *, name: str, what: str) -> Json:
    """Return the value of a file's content: by its name's ending JSON, text, or whichever it turns out to be."""
    text = decoded(raw, what)
    suffix = Path(name).suffix.lower()
    if suffix in TEXT_SUFFIXES:
        return _within_limit(text, what)
    try:
        return _within_limit(payload.parse(text, what=what), what)
    except PayloadError as exc:
        # JSON that is merely not strict (a duplicate key, NaN) is refused: to take it as text would hide the mistake.
        if suffix == ".json":
            raise BadInput(f"{exc}; a file of text is named .txt or .md") from None
        if not _is_no_json(text):
            raise BadInput(str(exc)) from None
        return _within_limit(text, what)


def path_of(name: str, what: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError:
        raise BadInput(f"{what}: cannot be read: there is no home directory of that user") from None


def read_file(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            return _bounded(file, what)
    except OSError as exc:
        raise BadInput(f"{what}: cannot be read: {exc.strerror or exc}") from None
    except ValueError as exc:  # a NUL in the name
        raise BadInput(f"{what}: cannot be read: {exc}") from None


def read_stdin() -> bytes:
    if sys.stdin is None or sys.stdin.closed:
        raise BadInput(f"{STDIN}: standard input is closed")
    if sys.stdin.isatty():
        print("Reading the input from this terminal; end it with Ctrl-D.", file=sys.stderr)
    try:
        return _bounded(sys.stdin.buffer, STDIN)
    except OSError as exc:
        raise BadInput(f"{STDIN}: cannot be read: {exc.strerror or exc}") from None


def _bounded(file: BinaryIO, what: str) -> bytes:
    raw = file.read(MAX_RAW_BYTES + 1)
    if len(raw) > MAX_RAW_BYTES:
        raise BadInput(
            f"{what}: is larger than {MAX_RAW_BYTES} bytes, the most that is read "
            f"(the limit of an input is {LIMIT_BYTES} bytes as compact JSON)"
        )
    return raw


def decoded(raw: bytes, what: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise BadInput(f"{what}: is not UTF-8 (byte {exc.start}); convert it first, e.g. with iconv") from None


def _within_limit(value: Json, what: str) -> Json:
    try:
        payload.dump(value, what=what)
    except PayloadError as exc:
        raise BadInput(str(exc)) from None
    return value


def _is_no_json(text: str) -> bool:
    """Say whether the text is not even what Python's lenient parser takes for JSON."""
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return True
    except (RecursionError, ValueError):  # nested too deeply, or an integer of thousands of digits: JSON, and refused
        return False
    return False
