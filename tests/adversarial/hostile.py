# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN204, PLW0108 - run as a task service, not part of the suite
"""A task service that returns, raises and does what none should."""

import os
import signal
import sys


class Unspeakable(Exception):
    def __str__(self):
        raise ValueError("there is nothing to say")


class Secret(Exception):
    pass


def fail(error):
    raise error


def recurse():
    return recurse()


def grow():
    cycle = []
    cycle.append(cycle)
    return cycle


def deep():
    value = None
    for _ in range(100_000):
        value = [value]
    return value


def fork():
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return "parent"


ACTIONS = {
    "ok": lambda: "ok",
    "none": lambda: None,
    "bytes": lambda: b"bytes",
    "set": lambda: {1},
    "nan": lambda: [float("nan")],
    "object": lambda: object(),
    "generator": lambda: (i for i in range(3)),
    "cycle": grow,
    "deep": deep,
    "surrogate": lambda: "\ud800",
    "large": lambda: "x" * 10_000_000,
    "keys": lambda: {(1, 2): 3},
    "secret": lambda: fail(Secret("token=hunter2 " + "x" * 5_000)),
    "unspeakable": lambda: fail(Unspeakable()),
    "recursion": recurse,
    "exit": lambda: sys.exit(3),
    "interrupt": lambda: fail(KeyboardInterrupt()),
    "generator exit": lambda: fail(GeneratorExit()),
    "fork": fork,
    "close stdout": lambda: sys.stdout.close(),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "group": lambda: fail(ExceptionGroup("several", [ValueError("one"), TypeError("two")])),
}


def handler(event, _context):
    return ACTIONS[event["do"]]()
