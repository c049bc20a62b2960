"""What `orchestra doctor` finds, one thing each: fine, broken, or left out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from orchestration.payload import Json


class State(StrEnum):
    FINE = "fine"
    BROKEN = "broken"
    LEFT_OUT = "left out"
    """It is not there and not needed, or it was not looked at."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at, what was found, and how to mend it (nothing where there is nothing to mend)."""

    name: str
    state: State
    found: str
    mend: str = ""

    def unless(self, needed: bool, why: str) -> Check:
        """Return the check as it is if the thing is needed; else what is broken is left out, and `why` is said."""
        if needed or self.state is not State.BROKEN:
            return self
        return replace(self, state=State.LEFT_OUT, found=f"{self.found}; {why}", mend="")

    def document(self) -> Json:
        return asdict(self)


def fine(name: str, found: str) -> Check:
    return Check(name, State.FINE, found)


def broken(name: str, found: str, mend: str) -> Check:
    return Check(name, State.BROKEN, found, mend)


def left_out(name: str, found: str, mend: str = "") -> Check:
    return Check(name, State.LEFT_OUT, found, mend)


def locked(lock: str) -> dict[str, str]:
    """Return the version of each package that a lock, as `uv pip compile` writes it, has for this machine."""
    lines = (line.removesuffix("\\").strip() for line in lock.splitlines() if line[:1].isalnum())
    wanted = (Requirement(line) for line in lines)
    return {
        canonicalize_name(each.name): next(iter(each.specifier)).version
        for each in wanted
        if each.marker is None or each.marker.evaluate()
    }


def packages(name: str, lock_name: str, lock: str, installed: Mapping[str, str], mend: str) -> Check:
    """Compare an environment with its lock. What is there besides is no fault."""
    wanted = locked(lock)
    faults = [
        f"{package} is {installed.get(package, 'missing')}"
        for package, version in wanted.items()
        if package not in installed or Version(installed[package]) != Version(version)
    ]
    if not faults:
        return fine(name, f"all {len(wanted)} packages of {lock_name}")
    first = faults[0].partition(" ")[0]
    more = f", and {len(faults) - 1} more differ" if len(faults) > 1 else ""
    return broken(name, f"{faults[0]}, and {lock_name} says {wanted[first]}{more}", mend)
