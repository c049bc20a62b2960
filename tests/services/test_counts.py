"""Service a against `wc`."""

import hashlib
import re
import shutil
import subprocess
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

Call = Callable[[str, object], Any]


def wc(*options: str, text: str) -> list[int]:
    """Return the counts of GNU wc, in its own order: lines, words, characters, bytes, longest line."""
    command = ["wc", *options]
    # Its own variable decides what is white space to it, and must not come in from outside.
    environment = {"LC_ALL": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin"}
    done = subprocess.run(command, input=text.encode(), capture_output=True, env=environment, check=True)
    return [int(number) for number in done.stdout.split()]


def _gnu_wc() -> bool:
    if not shutil.which("wc"):
        return False
    done = subprocess.run(["wc", "--version"], capture_output=True, text=True, check=False)
    # Without the locale, wc falls back to bytes: then an accented letter is two characters.
    return "GNU coreutils" in done.stdout and wc("-m", text="é") == [1]


gnu_wc = pytest.mark.skipif(not _gnu_wc(), reason="needs GNU wc and the locale C.UTF-8")

# wc does not count a word of these alone, up to at least coreutils 9.1: they are not printable. POSIX defines a word as
# anything between white space, and so does the service. They are left out of the texts that wc is asked about.
_SKIPPED_BY_WC = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u2028\u2029\u0378\U0010ffff]")


def counts(call: Call, text: str) -> Any:
    return call("a", {"input": text})["output"]


@gnu_wc
def test_the_counts_are_those_of_wc(call: Call, text: str) -> None:
    text = _SKIPPED_BY_WC.sub("", text)
    found = counts(call, text)
    assert [found[name] for name in ("lines", "words", "characters", "bytes")] == wc("-lwmc", text=text)


# Characters of Unicode 3.2 are printable to the C library of any age; white space is made frequent.
_OLD = st.characters(exclude_categories=["Cs", "Cn", "Cc", "Zl", "Zp"]).filter(
    lambda character: unicodedata.ucd_3_2_0.category(character) != "Cn"
)
_SPACES = st.sampled_from("\t\n\v\f\r \u00a0\u1680\u2002\u2007\u202f\u205f\u2060\u3000\ufeff\u200b")


@gnu_wc
@given(st.text(_OLD | _SPACES, max_size=40))
@settings(max_examples=150, deadline=None)
def test_the_counts_of_any_text_are_those_of_wc(call: Call, text: str) -> None:
    found = counts(call, text)
    assert [found[name] for name in ("lines", "words", "characters", "bytes")] == wc("-lwmc", text=text)


@gnu_wc
def test_what_parts_words_is_what_parts_them_to_wc(call: Call) -> None:
    """Each character of the plane that has all white space, between two letters: it makes them one word or two."""
    characters = {chr(code) for code in range(0x10000) if not 0xD800 <= code < 0xE000} - {"\u2028", "\u2029"}
    text = " ".join(f"a{character}b" for character in sorted(characters))
    assert [counts(call, text)["words"]] == wc("-w", text=text)
    # The sum could hide two mistakes that cancel out, so those that may be white space are asked about one by one.
    suspects = {c for c in characters if unicodedata.category(c) in {"Zs", "Cc"}} | set("\u180e\u200b\u2060\ufeff")
    assert len(suspects) > 80
    for character in sorted(suspects):
        assert [counts(call, f"a{character}b")["words"]] == wc("-w", text=f"a{character}b"), f"U+{ord(character):04X}"


def test_what_wc_leaves_to_its_version_is_decided(call: Call) -> None:
    assert counts(call, "\x01 \x00")["words"] == 2  # POSIX: a word is whatever stands between white space
    assert counts(call, "a\u2028b\u2029c")["words"] == 3  # these are white space to the C library


def test_the_longest_line_is_without_its_line_end(call: Call, text: str) -> None:
    lines = re.split(r"\r?\n", text)
    assert counts(call, text)["longest_line_characters"] == max(map(len, lines))


@gnu_wc
@given(st.text("abcdefgh xyz,.\n", max_size=80))
@settings(max_examples=30, deadline=None)
def test_the_longest_line_of_printable_ascii_is_that_of_wc(call: Call, text: str) -> None:
    assert [counts(call, text)["longest_line_characters"]] == wc("-L", text=text)


def test_the_digest_is_that_of_the_bytes(call: Call, text: str) -> None:
    assert counts(call, text)["sha256"] == hashlib.sha256(text.encode()).hexdigest()
