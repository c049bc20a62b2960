"""`make parity`: runs the parity tests, and prints the table of the scenarios as they came out.

python -m tests.parity [--dags 200] [--seed N]
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.parity import scenario
from tests.parity.scenario import ENGINES, Scenario


@dataclass
class Report:
    """Gathers, as a plugin of pytest's, how many problems each scenario has on each engine."""

    problems: dict[str, dict[str, int]] = field(default_factory=dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told: dict[str, Any] = dict(report.user_properties)
        if report.when == "call" and "problems" in told:
            self.problems[told["scenario"]] = told["problems"]

    def status(self, of: Scenario, engine: str) -> str:
        if engine in of.not_implemented:
            return "not implemented"
        found = self.problems.get(of.name)
        if found is None:
            return "NOT RUN"
        return "FAILED" if found[engine] else "passed"

    def lines(self) -> list[str]:
        """Return the table, 80 columns wide."""
        scenarios = scenario.read()
        rows = [(s.name, *(self.status(s, engine) for engine in ENGINES)) for s in scenarios]
        lines = [f"{name:<45}{one:<18}{other}" for name, one, other in [("scenario", *ENGINES), *rows]]
        for s in scenarios:
            lines += [f"{s.name}, {engine}: not implemented, since {why}" for engine, why in s.not_implemented.items()]
        return lines


def main() -> int:
    parser = argparse.ArgumentParser(prog="make parity")
    parser.add_argument("--dags", type=int, default=200, help="how many workflows chance draws")
    parser.add_argument("--seed", help="what they are drawn from, as an earlier run has printed it")
    arguments = parser.parse_args()
    os.environ["ORCHESTRA_PARITY_DAGS"] = str(arguments.dags)
    if arguments.seed:
        os.environ["ORCHESTRA_PARITY_SEED"] = arguments.seed
    report = Report()
    # -rP: the seed is part of the report, also of a suite that passes.
    code = pytest.main(["tests/parity", "-q", "-rP", "-p", "no:randomly"], plugins=[report])
    print("\n".join(report.lines()))
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
