import zlib

import pytest
import zstandard

from services.b3.handler import InvalidInput, handler


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("aaaa", 0),  # one symbol holds no information
        ("abab", 1),  # two equally frequent ones
        ("abcdefgh", 3),  # eight
        ("aaab", 0.8113),  # 3/4 log2(4/3) + 1/4 log2(4) = 0.3113 + 0.5
        ("é" * 8, 1),  # bytes and not characters: C3 and A9
        ("", None),
    ],
)
def test_entropy_is_of_the_frequencies_of_bytes(text: str, bits: float | None) -> None:
    found = handler({"input": text}, None)["entropy_bits_per_byte"]
    assert found == bits
    assert str(found) != "-0.0"


def test_sizes_are_those_of_the_compressed_bytes_and_ratios_say_how_many_times_smaller() -> None:
    text = "to be or not to be, that is the question\n" * 50
    result = handler({"input": text}, None)
    assert result["bytes"] == 2050
    for found, compressed in (
        (result["zlib"], zlib.compress(text.encode(), 6)),
        (result["zstd"], zstandard.ZstdCompressor(level=3).compress(text.encode())),
    ):
        assert found == {"bytes": len(compressed), "ratio": round(2050 / len(compressed), 4)}
        assert found["ratio"] > 10


def test_an_empty_text_has_frames_and_no_ratios() -> None:
    result = handler({"input": ""}, None)
    # The least that each format can be: a zlib header, an empty block and a checksum; a zstd header and an empty block.
    assert (result["zlib"], result["zstd"]) == ({"bytes": 8, "ratio": None}, {"bytes": 9, "ratio": None})


def test_the_output_of_a_is_carried_on_for_the_report() -> None:
    assert handler({"input": "a", "upstream": {"A": {"bytes": 1}}}, None)["document"] == {"bytes": 1}


def test_what_is_not_a_text_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match=r"^input must be a string, or an object .*, and it is null$"):
        handler({}, None)
