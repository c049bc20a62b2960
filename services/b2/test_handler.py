from typing import Any

import pytest

from services.b2.handler import InvalidInput, handler


def analyse(text: str) -> dict[str, Any]:
    return handler({"input": text}, None)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?", 3),
        ("No end at all", 1),
        ("What?! Really...", 2),
        ("A title\n\nA paragraph. Its end.", 3),
        ("A title\r\n\r\nA paragraph.", 2),
        ("One line\nof the same sentence.", 1),
        ("Pi is 3.14 at example.org. Yes.", 2),
        ("Mr. Bennet replied that he had not. Mrs. Long has been here.", 2),
        ("“Who has taken it?” cried his wife. “Bingley.”", 2),
        ("It is, etc. and so on.", 1),
        ("She said “No.” He left.", 2),
        ("（笑）何？本当に！はい。", 3),  # noqa: RUF001 - full-width, as it is written
        ("... !!! ???", 0),
        ("Wait . . . what?", 1),
        ("🚀. 🚀.", 0),
        ("", 0),
        (" \n\n ", 0),
    ],
)
def test_sentences(text: str, sentences: int) -> None:
    assert analyse(text)["sentences"] == sentences


@pytest.mark.parametrize(
    ("syllables", "words"),
    [
        (1, "the cat strength made named makes been lived through eye whale owed age name's"),
        (2, "table people battle ago conceived testing wanted ended places changes boxes café naïve's"),
        (3, "Liberty committee government consecrate dedicate"),
        (4, "proposition dedicated resolution's altogether"),
        (5, "universally"),
        # Whatever has no Latin vowels is one: digits, initials, other scripts.
        (1, "1863 BBC Москва 漢字 न"),
        # Known misses of a heuristic that has no dictionary: creating 3, idea 3, something 2.
        (2, "creating idea"),
        (3, "something"),
    ],
)
def test_syllables(syllables: int, words: str) -> None:
    expected = dict.fromkeys(words.split(), syllables)
    assert {word: analyse(word)["syllables"] for word in expected} == expected


def test_an_empty_text_has_no_averages() -> None:
    result = analyse("")
    del result["sha256"]
    assert result == {
        "document": None,
        "sentences": 0,
        "words": 0,
        "syllables": 0,
        "words_per_sentence": None,
        "syllables_per_word": None,
        "flesch_reading_ease": None,
        "flesch_kincaid_grade": None,
    }


def test_words_are_runs_of_letters_digits_marks_and_inner_apostrophes() -> None:
    assert analyse("don't don’t 'quoted' rock''n '' well-known 3.14 cafe\u0301 ❤️")["words"] == 9  # noqa: RUF001


def test_the_output_of_a_is_carried_on_for_the_report() -> None:
    assert handler({"input": "a", "upstream": {"A": {"bytes": 1}}}, None)["document"] == {"bytes": 1}


@pytest.mark.parametrize("text", ["." * 200_000 + "x", "\n " * 100_000, ".x" * 100_000, "'" * 200_000 + "a"])
def test_hostile_punctuation_takes_linear_time(text: str) -> None:
    # Quadratic time would be minutes for these, and the suite would not end.
    assert analyse(text)["sentences"] <= 1


def test_what_is_not_a_text_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match=r"^input must be a string, or an object .*, and it is a number$"):
        handler({"input": 7}, None)
