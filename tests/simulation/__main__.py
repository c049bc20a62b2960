"""Simulate many runs, or one again.

python -m tests.simulation run --seeds 50000 --base 0
python -m tests.simulation replay 1234              its event log
python -m tests.simulation shrink 1234              the smallest tape that fails in the same way, and its log
"""

from __future__ import annotations

import argparse
import json
import os
import sys

from tests.simulation import marks, soak
from tests.simulation.judge import Violated
from tests.simulation.plants import PLANTS
from tests.simulation.shrink import shrink
from tests.simulation.simulation import Log, Mode, mode_of, play
from tests.simulation.tape import Tape

MOST_SHOWN = 10
ENOUGH = 50_000
"""With as many seeds, every mark has to be hit."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="play many seeds, and every pair of faults on the diamond")
    run.add_argument("--seeds", type=int, default=ENOUGH)
    run.add_argument("--base", type=int, default=0, help="the first seed")
    run.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    run.add_argument("--marks", action="store_true", help="show how often each thing has happened")
    for name, what in (("replay", "play one seed again, and show its events"), ("shrink", "make a failing seed small")):
        one = commands.add_parser(name, help=what)
        one.add_argument("seed", type=int)
        one.add_argument("--mode", type=Mode, choices=list(Mode), help="instead of the seed's own")
        one.add_argument("--plant", choices=[plant.name for plant in PLANTS], help="with this bug")
    asked = parser.parse_args()
    if asked.command == "run":
        return many(asked.seeds, asked.base, asked.processes, show_marks=asked.marks)
    mode = asked.mode or mode_of(asked.seed)
    plant = next((plant for plant in PLANTS if plant.name == asked.plant), None)
    if plant is None:
        return one_again(asked.seed, mode, small=asked.command == "shrink")
    with plant.planted():
        return one_again(asked.seed, mode, small=asked.command == "shrink")


def many(count: int, base: int, processes: int, *, show_marks: bool) -> int:
    print(f"seeds {base} to {base + count - 1}, on {processes} processes")
    played = soak.seeds(base, count, processes)
    paired = soak.pairs(processes)
    for seed, failure in played.failures[:MOST_SHOWN]:
        print(f"{failure}\n  replay with: python -m tests.simulation replay {seed}")
    for plan, failure in paired.failures[:MOST_SHOWN]:
        print(f"{failure}\n  on the diamond, with {plan}")
    if show_marks:
        for mark, times in sorted(played.coverage.items()):
            print(f"{times:>10,}  {' / '.join(mark)}")
    unhit, unknown = marks.unhit(played.coverage), marks.unknown(played.coverage)
    print(f"{len(set(marks.expected())) - len(unhit)} of {len(set(marks.expected()))} marks were hit")
    for mark in unhit:
        print(f"  never: {' / '.join(mark)}")
    for mark in unknown:
        print(f"  nobody expects: {' / '.join(mark)}")
    failed = len(played.failures) + len(paired.failures)
    print(f"{failed} of {played.count:,} seeds and {paired.count:,} pairs failed")
    return 1 if failed or unknown or (unhit and count >= ENOUGH) else 0


def one_again(seed: int, mode: Mode, *, small: bool) -> int:
    """Play a seed, or the smallest tape that fails as it does, and show what happened."""
    tape = Tape.of_seed(seed)
    invariant = _play(tape, mode, [])
    if small and invariant is not None:
        values = shrink(tape.drawn, mode, invariant)
        print(json.dumps({"mode": mode, "tape": values, "invariant": invariant}))
        tape = Tape.of_values(values)
    else:
        tape = Tape.of_seed(seed)
    log: Log = []
    failed = _play(tape, mode, log)
    for at, *event in log:
        print(f"{int(str(at)) / 1000:12.3f}  {'  '.join(str(part) for part in event)}")
    print(f"seed {seed}, mode {mode}: {'nothing is wrong' if failed is None else failed}")
    return 0 if failed is None else 1


def _play(tape: Tape, mode: Mode, log: Log) -> str | None:
    try:
        play(tape, mode, log=log)
    except Violated as violation:
        log.append((log[-1][0] if log else 0, "VIOLATED", str(violation)))
        return violation.invariant
    return None


if __name__ == "__main__":
    sys.exit(main())
