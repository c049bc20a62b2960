from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.errors import LocalError
from local.locks import is_locked, sole_command, try_lock

HOLDER = """
import sys
from pathlib import Path
from local.locks import try_lock

try_lock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_lock_is_free_again_when_its_holder_is_killed(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, lock],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert holder.stdin
    assert holder.stdout
    with holder.stdin, holder.stdout:
        assert holder.stdout.readline() == b"held\n"
        assert is_locked(lock)
        assert try_lock(lock) is None
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    assert not is_locked(lock)


def test_asking_does_not_make_the_lock(tmp_path: Path) -> None:
    assert not is_locked(tmp_path / "lock")
    assert list(tmp_path.iterdir()) == []


def test_a_second_command_is_told_who_is_at_work(tmp_path: Path) -> None:
    with sole_command(tmp_path, "local"):
        said = rf"^another command is changing stack 'local' \(process {os.getpid()}\): wait until it has finished$"
        with pytest.raises(LocalError, match=said), sole_command(tmp_path, "local"):
            pass
    with sole_command(tmp_path, "local"):
        pass
