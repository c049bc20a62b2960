"""A page of the docs, done as it says: its files are written, its commands typed, and its outputs expected.

What a fenced block is for is said by its language and by the paragraph before it:

- `sh`: commands. Each has to end with 0.
- `python`, and the paragraph names `__main__.py`: takes the place of the line there that assigns the same name.
- `json`, and the paragraph ends with "end with the output": what both of the last two runs have returned.
- anything else: a file, which the paragraph names.

"Add `"x"` to `names`" in the text is done, too.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.stack import PROGRAM, ROOT

_COPIED = ("services", "tools", "examples", "__main__.py")
_BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<content>.*?)^```\n", re.MULTILINE | re.DOTALL)
_ADDED = re.compile(r'Add `"(\w+)"` to `names` in `__main__\.py`')
_FILE = re.compile(r"`([\w./-]+\.\w+|services/\w+/Dockerfile)`")


@dataclass(frozen=True)
class Block:
    """A fenced block, and the paragraph before it."""

    text: str
    language: str
    content: str


def blocks(page: str) -> list[Block]:
    """Return the blocks of a page, in order, each with the last paragraph since the block before."""
    found, end = [], 0
    for each in _BLOCK.finditer(page):
        paragraphs = page[end : each.start()].strip().split("\n\n")
        found.append(Block(paragraphs[-1], each["language"], each["content"]))
        end = each.end()
    return found


@dataclass
class Walkthrough:
    """A copy of the project, in which a page is followed."""

    folder: Path
    outputs: list[Any] = field(default_factory=list)
    """What each run of a workflow has returned."""

    typed: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)

    def prepare(self) -> None:
        for name in dict.fromkeys([*PROGRAM, *_COPIED, "pyproject.toml"]):
            if name not in _COPIED:
                (self.folder / name).symlink_to(ROOT / name)
            elif (ROOT / name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
                shutil.copytree(ROOT / name, self.folder / name, ignore=ignored)
            else:
                shutil.copy(ROOT / name, self.folder / name)

    def follow(self, page: str) -> None:
        for block in blocks(page):
            added = _ADDED.search(block.text)
            if added:
                self._add_name(added[1])
            if block.language == "sh":
                for line in block.content.splitlines():
                    self._type(line.partition("  #")[0].strip())
            elif block.language == "python" and "`__main__.py`" in block.text:
                self._edit(block.content)
            elif block.text.endswith("end with the output"):
                assert self.outputs[-2:] == [json.loads(block.content)] * 2, f"the runs returned {self.outputs[-2:]}"
            else:
                self._write(block)

    def _write(self, block: Block) -> None:
        name = _FILE.search(block.text)
        assert name is not None, f"which file is this? {block.text}"
        file = self.folder / name[1]
        file.parent.mkdir(exist_ok=True)
        file.write_text(block.content, "utf-8")
        self.written.append(name[1])

    def _edit(self, content: str) -> None:
        program = self.folder / "__main__.py"
        text = program.read_text("utf-8")
        names = re.findall(r"^(\w+) = ", content, re.MULTILINE)
        (line,) = (line for line in text.splitlines() if line.partition(" = ")[0] in names)
        assert line + "\n" != content
        program.write_text(text.replace(f"{line}\n", content), "utf-8")

    def _add_name(self, name: str) -> None:
        program = self.folder / "__main__.py"
        text = program.read_text("utf-8")
        (line,) = (line for line in text.splitlines() if line.startswith("names = "))
        program.write_text(text.replace(line, line.replace('"c", ', f'"c", "{name}", ')), "utf-8")

    def _type(self, line: str) -> None:
        if not line:
            return
        is_run = line.startswith("orchestra run ")
        done = subprocess.run(
            f"{line} --json" if is_run else line,
            shell=True,
            cwd=self.folder,
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        self.typed.append(line)
        if is_run:
            self.outputs.append(json.loads(done.stdout)["output"])
