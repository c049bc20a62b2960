"""Service b2 against scores that were worked out by hand, and against texts whose counts are known."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[2] / "examples"
Call = Callable[[str, object], Any]


def readability(call: Call, text: str) -> dict[str, Any]:
    output: dict[str, Any] = call("b2", {"input": text})["output"]
    del output["sha256"], output["document"]
    return output


def test_an_example_worked_by_hand(call: Call) -> None:
    """Two sentences, nine words, eleven syllables.

    The cat sat on the table.   the-1 cat-1 sat-1 on-1 the-1 ta-ble-2      6 words, 7 syllables
    It was happy!               it-1 was-1 hap-py-2                        3 words, 4 syllables

    words per sentence   9 / 2  = 4.5
    syllables per word   11 / 9 = 1.2222
    reading ease         206.835 - 1.015 * 4.5 - 84.6 * 1.2222 = 206.835 - 4.5675 - 103.4    = 98.8675
    grade                0.39 * 4.5 + 11.8 * 1.2222 - 15.59    = 1.755 + 14.4222 - 15.59     = 0.5872
    """
    assert readability(call, "The cat sat on the table. It was happy!") == {
        "sentences": 2,
        "words": 9,
        "syllables": 11,
        "words_per_sentence": 4.5,
        "syllables_per_word": 1.22,
        "flesch_reading_ease": 98.87,
        "flesch_kincaid_grade": 0.59,
    }


def test_gettysburg_has_ten_sentences_and_272_words(call: Call) -> None:
    found = readability(call, (EXAMPLES / "gettysburg.txt").read_text(encoding="utf-8"))
    assert (found["sentences"], found["words"], found["words_per_sentence"]) == (10, 272, 27.2)
    # From the counts above and 365 syllables: 206.835 - 27.608 - 84.6 * 1.341912 = 65.7013, and likewise the grade.
    assert (found["syllables"], found["flesch_reading_ease"], found["flesch_kincaid_grade"]) == (365, 65.7, 10.85)


def test_the_sentences_of_a_dialogue_are_those_that_a_reader_counts(call: Call) -> None:
    found = readability(call, (EXAMPLES / "pride-and-prejudice-1.txt").read_text(encoding="utf-8"))
    assert found["sentences"] == 59


def test_the_scores_are_null_exactly_when_there_is_no_word(call: Call, text: str) -> None:
    found = readability(call, text)
    scores = [found[name] for name in list(found)[3:]]
    assert len(scores) == 4
    assert [score is None for score in scores] == [found["words"] == 0] * 4
    assert (found["sentences"] == 0) == (found["words"] == 0)
    assert found["syllables"] >= found["words"] >= found["sentences"]
