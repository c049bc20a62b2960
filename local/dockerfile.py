"""Reads the Dockerfile of a Python Lambda function: what it copies, installs and runs. Pure."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from typing import NoReturn

from local.errors import LocalError

TASK_ROOT = "/var/task"
_PYTHON_BASE = re.compile(r"(^|/)lambda/python:|(^|/)lambda-python:|^amazon/aws-lambda-python:")
_IGNORED = frozenset({"ARG", "LABEL", "EXPOSE", "USER", "STOPSIGNAL", "HEALTHCHECK", "MAINTAINER", "SHELL"})
_PIP = re.compile(r"\bpip3?\b.*\binstall\b")


@dataclass(frozen=True)
class Copy:
    """Files of the build context (names or globs), and the folder below the task root that they go to."""

    sources: tuple[str, ...]
    destination: str


@dataclass(frozen=True)
class Recipe:
    """How the image is made. `requirements` are the files that pip installs from, relative to the build context."""

    copies: tuple[Copy, ...]
    requirements: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    handler: str


def parse(text: str, name: str) -> Recipe:
    """Return the recipe; raise LocalError, with the line, if it needs more than the local target can do."""
    copies: list[Copy] = []
    requirements: list[str] = []
    environment: list[tuple[str, str]] = []
    handler = ""
    for number, line in _instructions(text):
        where = f"{name}, line {number}"
        word, _, rest = line.partition(" ")
        match word.upper():
            case "FROM":
                _check_base(rest, where)
            case "COPY" | "ADD":
                copies.append(_copy(rest, where))
            case "RUN":
                requirements.extend(_requirements(rest, where))
            case "ENV":
                environment.extend(_variables(rest))
            case "WORKDIR":
                _task_folder(rest.strip(), where)
            case "CMD":
                handler = _command(rest, where)
            case other if other not in _IGNORED:
                _refuse(line, where)
    if not handler:
        raise LocalError(f'{name}: there is no CMD with the handler, such as CMD ["handler.handler"]')
    return Recipe(tuple(copies), tuple(requirements), tuple(environment), handler)


def _instructions(text: str) -> list[tuple[int, str]]:
    """Return each instruction on one line, with the number of its first line; comments are left out."""
    found: list[tuple[int, str]] = []
    pending, start = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        start = start if pending else number
        if line.endswith("\\"):
            pending += line[:-1].rstrip() + " "
            continue
        found.append((start, re.sub(r"\s+", " ", pending + line)))
        pending = ""
    return found


def _refuse(line: str, where: str) -> NoReturn:
    raise LocalError(f"{where}: the local target runs containers from their source, and cannot do `{line}`")


def _check_base(rest: str, where: str) -> None:
    image = next(word for word in rest.split() if not word.startswith("--"))
    if not _PYTHON_BASE.search(image):
        raise LocalError(f"{where}: the local target runs images that are FROM an AWS Lambda Python image, not {image}")


def _copy(rest: str, where: str) -> Copy:
    words = json.loads(rest) if rest.startswith("[") else shlex.split(rest)
    flags = [word for word in words if word.startswith("--")]
    if any(flag.startswith("--from") for flag in flags):
        _refuse(f"COPY {rest}", where)
    *sources, destination = [word for word in words if not word.startswith("--")]
    if not sources:
        _refuse(f"COPY {rest}", where)
    return Copy(tuple(sources), _task_folder(destination, where))


def _task_folder(path: str, where: str) -> str:
    """Return a destination relative to the task root; a trailing slash (a folder) is kept."""
    root = path.strip('"').replace("${LAMBDA_TASK_ROOT}", TASK_ROOT).replace("$LAMBDA_TASK_ROOT", TASK_ROOT)
    if root.startswith("/"):
        if root != TASK_ROOT and not root.startswith(f"{TASK_ROOT}/"):
            raise LocalError(f"{where}: the local target copies to {TASK_ROOT} (LAMBDA_TASK_ROOT) only, not to {path}")
        root = root.removeprefix(TASK_ROOT).lstrip("/") or "./"
    return root


def _requirements(rest: str, where: str) -> list[str]:
    if not _PIP.search(rest):
        _refuse(f"RUN {rest}", where)
    files: list[str] = []
    words = shlex.split(rest)
    for position, word in enumerate(words):
        if word in {"-r", "--requirement"} and position + 1 < len(words):
            files.append(words[position + 1])
        elif word.startswith("--requirement="):
            files.append(word.partition("=")[2])
    if not files:
        _refuse(f"RUN {rest}", where)
    return [_task_folder(file, where) for file in files]


def _variables(rest: str) -> list[tuple[str, str]]:
    if "=" not in rest.split(" ", 1)[0]:
        name, _, value = rest.partition(" ")
        return [(name, value)]
    return [(name, value) for name, _, value in (word.partition("=") for word in shlex.split(rest))]


def _command(rest: str, where: str) -> str:
    try:
        words = json.loads(rest)
    except ValueError:
        words = None
    if not isinstance(words, list) or len(words) != 1 or not isinstance(words[0], str):
        raise LocalError(f'{where}: CMD must be a list with the handler, such as ["handler.handler"]')
    return words[0]
