"""Service b3 against the libraries, and against the theory that its numbers must obey."""

import math
import zlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import zstandard

Call = Callable[[str, object], Any]


def compressibility(call: Call, text: str) -> dict[str, Any]:
    output: dict[str, Any] = call("b3", {"input": text})["output"]
    return output


def test_the_entropy_is_log_n_less_the_weighted_mean_of_the_logs(call: Call, text: str) -> None:
    data = text.encode()
    found = compressibility(call, text)["entropy_bits_per_byte"]
    if not data:
        assert found is None
        return
    mean = sum(count * math.log2(count) for count in Counter(data).values()) / len(data)
    assert found == pytest.approx(math.log2(len(data)) - mean, abs=0.00006)  # rounded to four decimals
    assert 0 <= found <= 8


def test_the_sizes_are_those_of_the_libraries(call: Call, text: str) -> None:
    data = text.encode()
    found = compressibility(call, text)
    packer = zlib.compressobj(level=6)
    assert found["zlib"]["bytes"] == len(packer.compress(data) + packer.flush())
    assert found["zstd"]["bytes"] == len(zstandard.compress(data, level=3))
    for part in (found["zlib"], found["zstd"]):
        assert part["ratio"] == (round(len(data) / part["bytes"], 4) if data else None)


def test_repetition_compresses_and_entropy_does_not_see_it(call: Call) -> None:
    once, often = (compressibility(call, "the quick brown fox " * n) for n in (1, 1000))
    assert often["entropy_bits_per_byte"] == once["entropy_bits_per_byte"]
    assert min(often["zlib"]["ratio"], often["zstd"]["ratio"]) > 100 > once["zlib"]["ratio"]
