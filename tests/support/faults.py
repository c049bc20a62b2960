"""Ports that fail, or let others act, at a call that a test names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

BULK = {"save", "arrive", "send"}
"""Calls that are many writes: a process may die after any of them."""


class Crashed(Exception):
    """The process died. Nothing catches it but the world, which then delivers again."""


@dataclass
class Wire:
    """Counts what passes through the ports that it wraps, and acts before or after the call with a certain number."""

    at: int | None = None
    after: bool = False
    act: Callable[[], None] = lambda: None
    calls: list[str] = field(default_factory=list)
    armed: bool = True

    def wrap(self, port: Any) -> Any:
        return _Wrapped(port, self)

    def step(self, name: str, call: Callable[[], Any]) -> Any:
        if not self.armed:
            return call()
        self.calls.append(name)
        hit = len(self.calls) == self.at
        if hit and not self.after:
            self.act()
        result = call()
        if hit and self.after:
            self.act()
        return result


def crash() -> None:
    raise Crashed


class _Wrapped:
    def __init__(self, port: Any, wire: Wire) -> None:
        self._port = port
        self._wire = wire

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        def call(*args: Any, **options: Any) -> Any:
            return self._wire.step(name, lambda: method(*args, **options))

        def each(things: Sequence[Any], *args: Any, **options: Any) -> list[Any]:
            return [one for thing in things for one in call([thing], *args, **options) or []]

        return each if name in BULK else call
