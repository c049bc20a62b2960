"""The report of the scenarios, as docs/parity.md shows it and `make parity` prints it.

python -m tests.parity.table    writes the table into docs/parity.md
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.parity import scenario
from tests.parity.scenario import ENGINES, Scenario

PAGE = Path(__file__).parents[2] / "docs" / "parity.md"
TABLE = re.compile(r"(?<=<!-- scenarios -->\n).*(?=<!-- end -->)", re.DOTALL)
TITLES = {
    "1_shapes": "Graphs",
    "2_errors": "Errors, retries and timeouts",
    "3_payloads": "Inputs, outputs and ids",
}


def markdown(scenarios: Iterable[Scenario], status: Callable[[Scenario, str], str] = Scenario.status) -> str:
    """Return a table for each group of scenarios; `status` says what came of a scenario on an engine."""
    lines: list[str] = []
    for group, members in itertools.groupby(scenarios, lambda s: s.group):
        lines += ["", f"### {TITLES[group]}", "", f"| scenario | {' | '.join(ENGINES)} | what it is |"]
        lines.append("| --- " * (len(ENGINES) + 2) + "|")
        for member in members:
            cells = [f"`{member.name}`", *(status(member, engine) for engine in ENGINES), member.description]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*lines[1:], ""])


def page(text: str) -> str:
    """Return the page with the table of the scenarios as they are."""
    return TABLE.sub(lambda _: markdown(scenario.read()), text)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
