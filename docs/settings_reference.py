"""Write the reference of the settings from their schema, so that it cannot disagree with what a stack may set.

`python docs/settings_reference.py` writes it into docs/settings.md; a test fails when it is not what Pulumi.yaml, the
stack files and components/settings.py say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from components.settings import THRESHOLDS

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "settings.md"
BEGIN = "<!-- written by docs/settings_reference.py -->\n"
END = "<!-- end -->\n"
STACKS = ("dev", "prod", "local")
"""Those of this repository: a user's own, which stand beside them, are nobody else's concern."""

Schema = Mapping[str, Mapping[str, Any]]
Stacks = Mapping[str, Mapping[str, Any]]


def written(page: str) -> str:
    """Return the page with its tables written anew."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    tables = "\n".join(_tables(*_declared()))
    return f"{before}{BEGIN}{tables}\n{END}{after}"


def _declared() -> tuple[Schema, Stacks]:
    """Return the schema of the settings, and what each stack file sets, by its name and the full key."""
    project = _read(ROOT / "Pulumi.yaml")
    files = [file for stack in STACKS if (file := ROOT / f"Pulumi.{stack}.yaml").exists()]
    stacks = {
        file.name: {_full(project["name"], key): value for key, value in (_read(file).get("config") or {}).items()}
        for file in files
    }
    return {_full(project["name"], key): setting for key, setting in project["config"].items()}, stacks


def _tables(schema: Schema, stacks: Stacks) -> Iterator[str]:
    settings = [
        (_code(_short(key)), setting["type"], _value(setting["default"]), setting["description"])
        for key, setting in schema.items()
    ]
    yield from _table(("setting", "type", "default", "what it sets"), settings)
    yield from ("", "## The keys of `alarmThresholds`", "")
    limits = [
        (_code(key), _value(default), f"{allowed[0]} to {allowed[-1]}")
        for key, (default, allowed) in THRESHOLDS.items()
    ]
    yield from _table(("key", "default", "may be"), limits)
    yield from ("", "## What the stack files set", "")
    keys = [*schema, *sorted({key for stack in stacks.values() for key in stack} - set(schema))]
    rows = [
        (_code(_short(key) if key in schema else key), *(_value(stack.get(key, "")) for stack in stacks.values()))
        for key in keys
        if any(key in stack for stack in stacks.values())
    ]
    yield from _table(("setting", *(f"[{name}](../{name})" for name in stacks)), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for row in (head, ["---"] * len(head), *rows):
        cells = [" ".join(cell.split()).replace("|", "\\|") for cell in row]
        yield f"| {' | '.join(cells)} |"


def _value(value: object) -> str:
    """Return a value as one writes it in a stack file, where JSON is YAML too; nothing for an empty text."""
    return "" if value == "" else _code(value if isinstance(value, str) else json.dumps(value))


def _code(text: str) -> str:
    return f"`{text}`"


def _full(project: str, key: str) -> str:
    return key if ":" in key else f"{project}:{key}"


def _short(key: str) -> str:
    return key.partition(":")[2]


def _read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    return found


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
