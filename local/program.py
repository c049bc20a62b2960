"""The Pulumi program of a project: its configuration, and running it."""

from __future__ import annotations

import json
import logging
import os
import runpy
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from local import pulumi_runtime
from local.errors import LocalError
from local.paths import Project
from local.pulumi_runtime import Backend

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "array": list,
    "object": dict,
}


@dataclass(frozen=True)
class Settings:
    """What Pulumi.yaml and Pulumi.<stack>.yaml say: the project's name, and the configuration as the SDK wants it."""

    project: str
    config: Mapping[str, str]

    @property
    def region(self) -> str:
        return self.config.get("aws:region", "us-east-1")


def load_settings(project: Project) -> Settings:
    """Read and check the settings. Raises LocalError that names the file, the key and the remedy."""
    file = project.root / "Pulumi.yaml"
    document = _load(file)
    name = document.get("name")
    if not isinstance(name, str):
        raise LocalError(f"{file}: there is no `name`")
    stack_file = project.root / f"Pulumi.{project.stack}.yaml"
    given = (_load(stack_file).get("config") or {}) if stack_file.exists() else {}
    given = {_qualified(name, key): value for key, value in given.items()}
    for key, value in given.items():
        if isinstance(value, dict) and set(value) == {"secure"}:
            raise LocalError(
                f"{stack_file.name}: {key} is encrypted, which only the Pulumi CLI can read: use plain text here"
            )
    config = dict(given)
    for short, definition in (document.get("config") or {}).items():
        key = _qualified(name, short)
        _complete(config, key, definition, stack_file.name)
    return Settings(
        name, {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    )


def _complete(config: dict[str, Any], key: str, definition: Any, stack_file: str) -> None:
    """Add the default of one setting, or check the value that is given for it."""
    if not isinstance(definition, dict):
        config.setdefault(key, definition)
        return
    default = definition.get("default", definition.get("value"))
    if key not in config:
        if default is not None:
            config[key] = default
        elif "type" in definition and "default" not in definition:
            raise LocalError(
                f"{stack_file}: the setting {key} is missing: {definition.get('description', 'it has no default')}"
            )
        return
    wanted = _TYPES.get(str(definition.get("type")), object)
    value = config[key]
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is int):
        raise LocalError(f"{stack_file}: {key} must be of type {definition['type']}, and is {value!r}")


def _load(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise LocalError(f"cannot read {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise LocalError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    return document if isinstance(document, dict) else {}


def _qualified(project: str, key: str) -> str:
    return key if ":" in key else f"{project}:{key}"


def run(project: Project, settings: Settings, backend: Backend, *, dry_run: bool) -> None:
    """Evaluate the program against the backend. Raises LocalError for whatever goes wrong in it."""
    main = project.root / "__main__.py"
    if not main.is_file():
        raise LocalError(f"there is no Pulumi program: {main} is missing")
    evaluation = pulumi_runtime.Run(
        project=settings.project,
        stack=project.stack,
        root=project.root,
        config=settings.config,
        dry_run=dry_run,
        log=_program_log(),
    )
    with _inside(project.root):
        try:
            pulumi_runtime.evaluate(evaluation, backend, lambda: _run_main(main))
        except LocalError:
            raise
        except SystemExit as error:
            raise LocalError(f"the program ended itself with exit code {error.code}") from error
        except Exception as error:
            raise LocalError(_one_line(error, project.root)) from error


def _run_main(main: Path) -> None:
    runpy.run_path(str(main), run_name="__main__")


def _program_log() -> logging.Logger:
    log = logging.getLogger("local.program")
    if not log.handlers:
        output = logging.StreamHandler()  # pulumi.log.info and warn, on stderr
        output.setFormatter(logging.Formatter("  %(message)s"))
        log.addHandler(output)
        log.propagate = False
        log.setLevel(logging.INFO)
    return log


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Run as `pulumi` runs a program: in its folder, and with its modules first."""
    before = Path.cwd()
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        os.chdir(before)


def _one_line(error: BaseException, root: Path) -> str:
    """Return the error, and the innermost line of the program that led to it."""
    text = " ".join(str(error).split())
    name = type(error).__name__
    if name == "ConfigMissingError":
        return text.partition(" please set")[0].rstrip(":, ") + ": set it in the stack's Pulumi.<stack>.yaml"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(root) and ".venv" not in Path(frame.filename).parts
    ]
    where = f"{Path(frames[-1].filename).relative_to(root)}:{frames[-1].lineno}: " if frames else ""
    return f"{where}{name}: {text}" if text else f"{where}{name}"
