"""What docs/adding-*.md say beside what tests/e2e/test_adding.py follows line by line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from components.packaging import Kind
from orchestration.payload import LIMIT_BYTES
from tests.support.walkthrough import Block, Walkthrough, blocks

ROOT = Path(__file__).parents[1]
TASK = (ROOT / "docs" / "adding-a-task.md").read_text("utf-8")
WORKFLOW = (ROOT / "docs" / "adding-a-workflow.md").read_text("utf-8")


def test_the_runtimes_are_those_of_the_components() -> None:
    node, python = (re.findall(r"[\d.]*\d", kind.value)[0] for kind in (Kind.NODE, Kind.PYTHON))

    assert f"| `handler` of `index.mjs` | Node {node} |" in TASK
    assert f"| `handler` of `handler.py` | Python {python} |" in TASK
    assert f"any JSON value of at most {LIMIT_BYTES:,} bytes" in TASK


def test_requirements_are_locked_as_make_lock_does() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    (recipe,) = re.findall(r"^\t\$\(UV\) (pip compile .* services/b3/requirements\.txt)$", makefile, re.MULTILINE)
    (shown,) = re.findall(r"`uv (pip compile [^`]+)`", TASK)

    assert " ".join(shown.split()) == recipe.replace("services/b3/", "services/pack/")


@pytest.mark.parametrize(
    ("page", "file", "name"),
    [
        (TASK, "tests/test_main.py", "SERVICES"),
        (TASK, "tests/services/test_readmes.py", "NAMES"),
    ],
)
def test_what_a_new_service_is_added_to_is_there(page: str, file: str, name: str) -> None:
    assert f"`{name}` in `{file}`" in page
    assert re.search(rf"^{name} = \[", (ROOT / file).read_text("utf-8"), re.MULTILINE)


def test_the_line_of_the_program_is_the_one_there_and_one_name_more() -> None:
    (shown,) = (block.content for block in blocks(TASK) if block.content.startswith("names = "))
    (line,) = (line for line in (ROOT / "__main__.py").read_text("utf-8").splitlines() if line.startswith("names = "))

    assert shown == line.replace('"c", ', '"c", "shout", ') + "\n"


def test_every_block_of_the_pages_says_what_it_is() -> None:
    known = {"json", "js", "python", "sh", "toml", "dockerfile"}
    for page in (TASK, WORKFLOW):
        assert {block.language for block in blocks(page)} <= known


def test_a_block_has_the_paragraph_before_it() -> None:
    page = "# A\n\nfirst\n\n`f.json` is:\n\n```json\n{}\n```\n\n```sh\nls\n```\n"
    assert blocks(page) == [Block("`f.json` is:", "json", "{}\n"), Block("", "sh", "ls\n")]


def test_a_page_that_is_wrong_is_found(tmp_path: Path) -> None:
    """The walkthrough itself: it fails if a command does, if an output is another one, or if a file has no name."""
    wrong = {
        "```sh\nfalse\n```\n": "false",
        "Both end with the output\n\n```json\n1\n```\n": "the runs returned",
        "A file\n\n```json\n1\n```\n": "which file is this",
        "In `__main__.py`:\n\n```python\nnothing = 1\n```\n": "unpack",
    }
    (tmp_path / "__main__.py").write_text("names = []\n")
    for page, said in wrong.items():
        with pytest.raises((AssertionError, ValueError), match=said):
            Walkthrough(tmp_path).follow(page)
