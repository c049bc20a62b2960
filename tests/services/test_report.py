"""The reference workflow's services, in the order of its graph: A -> (B1, B2, B3) -> C."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[2] / "examples"
Call = Callable[[str, object], Any]


def run(call: Call, text: str) -> Any:
    """Return C's answer; each task gets the outputs of its direct dependencies, as the engine gives them."""
    a = call("a", {"input": text, "upstream": {}})["output"]
    branches = {
        name.upper(): call(name, {"input": text, "upstream": {"A": a}})["output"] for name in ("b1", "b2", "b3")
    }
    return call("c", {"input": text, "upstream": branches})


def test_the_report_of_gettysburg(call: Call) -> None:
    report = run(call, (EXAMPLES / "gettysburg.txt").read_text(encoding="utf-8"))["output"]
    size = report["compressibility"]["zstd"]["bytes"]
    assert report["summary"] == (f"264 words in 10 sentences, 1469 bytes ({size} with zstd), Flesch reading ease 65.7")
    assert report["counts"] == {
        "bytes": 1469,
        "characters": 1455,
        "lines": 5,
        "words": 264,
        "longest_line_characters": 895,
    }
    # What the branches carried for C is not repeated.
    assert list(report) == ["summary", "sha256", "counts", "frequencies", "readability", "compressibility"]
    assert not {"sha256", "document"} & {name for part in list(report.values())[2:] for name in part}


def test_a_run_with_a_branch_of_another_text_has_no_report(call: Call) -> None:
    a = call("a", {"input": "one"})["output"]
    branches = {n.upper(): call(n, {"input": "one", "upstream": {"A": a}})["output"] for n in ("b1", "b2")}
    branches["B3"] = call("b3", {"input": "two", "upstream": {"A": a}})["output"]
    error = call("c", {"upstream": branches})["error"]
    assert error["name"] == "InconsistentUpstream"
    assert error["message"].startswith("sha256 is ")


def test_an_empty_text_has_a_report(call: Call) -> None:
    assert run(call, "")["output"]["summary"] == "An empty text"
