"""Task B2: sentence statistics and readability of a text. The contract is in README.md."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

APOSTROPHES = "'\u2019"
# Followed by a point, these are short for a word that goes on to a name.
ABBREVIATIONS = frozenset(["Mr", "Mrs", "Ms", "Dr", "Prof", "Rev", "St", "Capt", "Col", "Gen", "Lt", "Sgt", "vs"])


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    text = _read_text(event)
    words = _words(text)
    sentences = _count_sentences(text)
    syllables = sum(map(_count_syllables, words))
    return {
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "document": event.get("upstream", {}).get("A"),
        "sentences": sentences,
        "words": len(words),
        "syllables": syllables,
        **_readability(sentences, len(words), syllables),
    }


def _readability(sentences: int, words: int, syllables: int) -> dict[str, float | None]:
    """Return the two averages and the two scores; all are null for a text without words, which has no averages.

    Source: Kincaid, Fishburne, Rogers and Chissom, "Derivation of new readability formulas" (1975).
    """
    if not words:
        names = ("words_per_sentence", "syllables_per_word", "flesch_reading_ease", "flesch_kincaid_grade")
        return dict.fromkeys(names)
    per_sentence, per_word = words / sentences, syllables / words
    return {
        "words_per_sentence": round(per_sentence, 2),
        "syllables_per_word": round(per_word, 2),
        "flesch_reading_ease": round(206.835 - 1.015 * per_sentence - 84.6 * per_word, 2),
        "flesch_kincaid_grade": round(0.39 * per_sentence + 11.8 * per_word - 15.59, 2),
    }


def _words(text: str) -> list[str]:
    """Return the words, as service b1 finds them: `re` knows no combining marks, so this goes by category."""
    kinds = {character: unicodedata.category(character)[0] for character in set(text)}
    marks = "".join(character for character, kind in kinds.items() if kind == "M")
    # Everything that no word holds becomes a space; this is one fast pass over a text of any length.
    table = {ord(c): " " for c, kind in kinds.items() if kind not in "LMN"}
    runs = text.translate(table | {ord(c): "'" for c in APOSTROPHES}).split()
    return [word for run in runs if (word := run.lstrip(marks + "'").rstrip("'"))]


# Whole runs, and nothing after them in the pattern: one that looked ahead would be quadratic on a million points.
_BREAK = re.compile(r"""[.!?…]+["'”’»)\]]*|[。！？｡]+[”’」』）]*|\n[^\S\n]*\n""")  # noqa: RUF001 - full-width
_SPACES = re.compile(r"\s*")


def _count_sentences(text: str) -> int:
    """Return the number of stretches between sentence ends that hold a letter or a digit."""
    ends = [match.end() for match in _BREAK.finditer(text) if _ends_sentence(text, match)]
    stretches = (text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True))
    return sum(any(unicodedata.category(c)[0] in "LN" for c in stretch) for stretch in stretches)


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    if match[0][0] not in ".!?…":
        return True
    following = _SPACES.match(text, match.end())
    assert following is not None  # it matches the empty string
    if following.end() == len(text):
        return True
    if not following[0]:  # 3.14, example.org
        return False
    if text[following.end()].islower() or text[following.end()] in ".!?…":  # "Who?" he said; etc. and so on; . . .
        return False
    before = re.split(r"\W", text[max(0, match.start() - 8) : match.start()])[-1]
    return not (match[0] == "." and before in ABBREVIATIONS)


_VOWELS = re.compile(r"[aeiouy]+")
_ACCENTED_VOWEL = re.compile(r"[aeiouy][\u0300-\u036f]+")
_SILENT_END = re.compile(r"(?:[^aeiouyl]|[aeiouy]l)e$|[^aeiouytd]ed$|[^aeiouyszxcgh]es$")


def _count_syllables(word: str) -> int:
    """Return the number of vowel groups, less a silent ending (-e, -ed, -es), and at least 1. Made for English."""
    letters = unicodedata.normalize("NFKD", word.lower()).replace("'", "")  # name's sounds as names does
    letters = _ACCENTED_VOWEL.sub("-a-", letters)  # an accented vowel sounds by itself: café, naïve
    return max(1, len(_VOWELS.findall(letters)) - bool(_SILENT_END.search(letters)))


class InvalidInput(ValueError):
    """The run's input is not a text. The name is the contract: a retry policy can select on it."""


def _read_text(event: Mapping[str, Any]) -> str:
    """Return the text of the run's input. Raises InvalidInput.

    Every service that reads the text has its own copy of this rule, since each is deployed alone;
    tests/services/test_input.py holds the copies to the same answers.
    """
    value = event.get("input")
    text = value.get("text") if isinstance(value, dict) else value
    if not isinstance(text, str):
        found = _kind(value)
        if isinstance(value, dict):
            found = f'an object whose "text" is {_kind(text)}' if "text" in value else 'an object without "text"'
        raise InvalidInput(f'input must be a string, or an object whose "text" is a string, and it is {found}')
    try:
        text.encode()
    except UnicodeEncodeError:
        message = "input must be Unicode text, and it holds a lone surrogate, which UTF-8 cannot express"
        raise InvalidInput(message) from None
    return text


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
