"""How each state looks, with what the terminal can show. Pure."""

from __future__ import annotations

from dataclasses import dataclass

STYLES = {
    "SUCCEEDED": "green",
    "RUNNING": "cyan",
    "READY": "yellow",
    "PENDING": "dim",
    "FAILED": "bold red",
    "FAILING": "red",
    "CANCELED": "magenta",
    "CANCELING": "magenta",
}


@dataclass(frozen=True)
class Look:
    """The characters of one terminal."""

    symbols: dict[str, str]
    spinner: str
    branch: str
    corner: str
    fold: str
    bar: str
    rest: str
    ellipsis: str
    dot: str
    unknown: str = "?"

    def symbol(self, status: str, tick: int = 0) -> str:
        """Return one character; that of RUNNING moves with the tick, if there is one."""
        if status == "RUNNING" and tick:
            return self.spinner[tick % len(self.spinner)]
        return self.symbols.get(status, self.unknown)


UNICODE = Look(
    symbols={
        "SUCCEEDED": "✓",
        "RUNNING": "●",
        "READY": "◌",
        "PENDING": "○",
        "FAILED": "✗",
        "FAILING": "✗",
        "CANCELED": "⊘",
        "CANCELING": "⊘",
    },
    spinner="⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏",
    branch="├─ ",
    corner="└─ ",
    fold="┆  ",
    bar="━",
    rest="─",
    ellipsis="…",
    dot=" · ",
)
ASCII = Look(
    symbols={
        "SUCCEEDED": "+",
        "RUNNING": ">",
        "READY": "~",
        "PENDING": ".",
        "FAILED": "x",
        "FAILING": "x",
        "CANCELED": "-",
        "CANCELING": "-",
    },
    spinner="|/-\\",
    branch="|- ",
    corner="`- ",
    fold=":  ",
    bar="=",
    rest="-",
    ellipsis="~",
    dot=" | ",
)


def style(status: str) -> str:
    return STYLES.get(status, "")


def look_for(encoding: str | None) -> Look:
    """Return the look for a stream of this encoding."""
    return UNICODE if (encoding or "").lower().replace("-", "").startswith("utf") else ASCII
