"""Service b1 against a count that is made another way: by Unicode category, letter by letter, and with Counter."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

Call = Callable[[str, object], Any]


def words(text: str) -> Iterator[str]:
    """The words by the definition in the service's README, read off one character after the other."""
    folded = unicodedata.normalize("NFC", text.lower()).replace("\u2019", "'")
    for in_word, group in groupby(folded, lambda c: c == "'" or unicodedata.category(c)[0] in "LMN"):
        run = list(group)
        while in_word and run and (run[0] == "'" or unicodedata.category(run[0])[0] == "M"):
            run.pop(0)
        while in_word and run and run[-1] == "'":
            run.pop()
        if in_word and run:
            yield "".join(run)


def expected(text: str) -> dict[str, Any]:
    found = Counter(words(text))
    return {
        "total_words": found.total(),
        "distinct_words": len(found),
        "hapax_words": list(found.values()).count(1),
        # Ties in order of first appearance: most_common promises the same.
        "top": [
            {"word": word if len(word) <= 64 else word[:63] + "…", "count": n} for word, n in found.most_common(10)
        ],
    }


def frequencies(call: Call, text: str) -> dict[str, Any]:
    output = call("b1", {"input": text})["output"]
    return {name: output[name] for name in ("total_words", "distinct_words", "hapax_words", "top")}


def test_the_frequencies_are_right(call: Call, text: str) -> None:
    assert frequencies(call, text) == expected(text)


_LETTERS = st.sampled_from("abAB'\u2019éÉe\u0301\ufe0fßẞΣσςİiıÅ\u212b1२Ⅷ-_. \n漢ア👍ǅ")  # noqa: RUF001 - look-alikes are the point


@given(st.text(_LETTERS, max_size=60))
@settings(max_examples=150, deadline=None)
def test_the_frequencies_of_any_text_are_right(call: Call, text: str) -> None:
    assert frequencies(call, text) == expected(text)


def test_gettysburg(call: Call) -> None:
    """Known from the literature: 272 words, and "that" is the most frequent, before "the"."""
    text = (Path(__file__).parents[2] / "examples" / "gettysburg.txt").read_text(encoding="utf-8")
    found = frequencies(call, text)
    assert found["total_words"] == 272
    assert found["top"][:4] == [
        {"word": "that", "count": 13},
        {"word": "the", "count": 11},
        {"word": "we", "count": 10},
        {"word": "to", "count": 8},
    ]
