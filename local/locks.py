"""Locks that the kernel gives back when their holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.errors import LocalError


def try_lock(path: Path) -> int | None:
    """Return a descriptor that holds the lock on `path`, or None if another process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_locked(path: Path) -> bool:
    if not path.exists():
        return False
    descriptor = try_lock(path)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


@contextmanager
def sole_command(folder: Path, stack: str) -> Iterator[None]:
    """Hold the stack for one command that changes it; refuse if another one does."""
    path = folder / "command.lock"
    descriptor = try_lock(path)
    if descriptor is None:
        holder = path.read_text().strip()
        who = f" (process {holder})" if holder else ""
        raise LocalError(f"another command is changing stack {stack!r}{who}: wait until it has finished")
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.ftruncate(descriptor, 0)
        os.close(descriptor)


@contextmanager
def shared_work(path: Path) -> Iterator[None]:
    """Wait for the lock on `path`, for work that several processes may want done once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
