"""Python environments of container services, made once for each set of requirements by the locked uv."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sysconfig
from pathlib import Path

import uv

from local.errors import LocalError
from local.locks import shared_work
from local.paths import CONTAINERS, FUNCTION_PYTHON


def environment_path(requirements: bytes) -> Path:
    """Return where the environment of these requirements is, or will be."""
    key = hashlib.sha256(requirements + sysconfig.get_python_version().encode()).hexdigest()[:16]
    return CONTAINERS / key


def ensure(requirements: bytes, name: str) -> Path:
    """Return the interpreter of an environment with these requirements and, as AWS's base images have it, boto3."""
    folder = environment_path(requirements)
    done = folder / ".done"
    with shared_work(folder.with_suffix(".lock")):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)  # an interrupted attempt
            _build(folder, requirements, name)
            done.touch()
    return folder / "bin" / "python"


def _build(folder: Path, requirements: bytes, name: str) -> None:
    if not FUNCTION_PYTHON.exists():
        raise LocalError("the Python of the functions is not installed: run `make setup`")
    _uv(["venv", "--quiet", "--python", str(FUNCTION_PYTHON), str(folder)], name)
    file = folder / "requirements.txt"
    file.write_bytes(requirements)
    if requirements.strip():
        into = ["--python", str(folder / "bin" / "python")]
        _uv(["pip", "install", "--quiet", "--require-hashes", "--no-build", *into, "-r", str(file)], name)
    for place in folder.glob("lib/python*/site-packages"):
        base = next(FUNCTION_PYTHON.parent.parent.glob("lib/python*/site-packages"))
        (place / "lambda_base_image.pth").write_text(f"{base}\n")


def _uv(arguments: list[str], name: str) -> None:
    result = subprocess.run([uv.find_uv_bin(), *arguments], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
        reason = " ".join(lines) or f"exit code {result.returncode}"
        raise LocalError(f"the environment of {name} cannot be made: uv {arguments[0]} failed: {reason}")
