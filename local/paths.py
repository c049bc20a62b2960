"""Where the local target keeps its files; all of them are inside `.orchestra`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from local.errors import LocalError

INSTALLATION = Path(__file__).resolve().parent.parent
EMULATOR_PYTHON = INSTALLATION / ".orchestra" / "emulator" / "bin" / "python"
FUNCTION_PYTHON = INSTALLATION / ".orchestra" / "python" / "bin" / "python"
CONTAINERS = INSTALLATION / ".orchestra" / "containers"

_STACK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
# Folders of `.orchestra` that are no stack.
_RESERVED = frozenset({"emulator", "python", "containers"})


@dataclass(frozen=True)
class Project:
    """A folder with a Pulumi.yaml, and a stack of it."""

    root: Path
    stack: str

    @property
    def state_dir(self) -> Path:
        return self.root / ".orchestra" / self.stack


def find_project(stack: str, start: Path | None = None) -> Project:
    """Return the project that `start` (by default the working directory) is in, or else this installation's own."""
    if not _STACK_NAME.fullmatch(stack) or stack in _RESERVED:
        raise LocalError(f"{stack!r} cannot be the name of a stack: use letters, digits, '.', '_' and '-'")
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "Pulumi.yaml").is_file():
            return Project(folder, stack)
    if start is None and (INSTALLATION / "Pulumi.yaml").is_file():
        return Project(INSTALLATION, stack)
    raise LocalError(f"there is no Pulumi.yaml in {here} or above it")
