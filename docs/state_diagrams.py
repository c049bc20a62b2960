"""Draw the state diagrams of the README from the transition tables, so that they cannot disagree with the engine.

`python docs/state_diagrams.py` writes them into README.md; a test fails when they are not what the tables say.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum
from pathlib import Path

from orchestration.decide import RUN_MOVES, TASK_MOVES
from orchestration.model import RunStatus, TaskStatus

README = Path(__file__).parent.parent / "README.md"
BEGIN = "<!-- drawn from orchestration/decide.py by docs/state_diagrams.py -->\n"
END = "<!-- end -->\n"


def diagram(moves: Mapping[StrEnum, Mapping[Enum, StrEnum]], first: StrEnum) -> str:
    """Return a transition table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {first}"]
    for state, row in moves.items():
        lines += [f"    {state} --> {to}: {_words(event)}" for event, to in row.items()]
        if all(_words(event) == "redriven" for event in row):
            lines.append(f"    {state} --> [*]")
    return "```mermaid\n" + "\n".join(lines) + "\n```\n"


def drawn(readme: str) -> str:
    """Return the README with its diagrams drawn anew."""
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    tasks, runs = diagram(TASK_MOVES, TaskStatus.PENDING), diagram(RUN_MOVES, RunStatus.RUNNING)  # type: ignore[arg-type]
    return f"{before}{BEGIN}A task:\n\n{tasks}\nA run:\n\n{runs}{END}{after}"


def _words(event: Enum) -> str:
    return event.name.lower().replace("_", " ")


if __name__ == "__main__":
    README.write_text(drawn(README.read_text("utf-8")), "utf-8")
