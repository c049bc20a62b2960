"""Text from outside made safe for a terminal, and times made readable. Pure."""

from __future__ import annotations

import json
import re
from datetime import datetime, tzinfo

from orchestration.payload import Json

# Whole escape sequences go, so that no "[31m" stays behind: CSI, then the string kinds (OSC, ...), then the short ones.
_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)"
    r"|\x1b[ -/]*[0-~]?"
)
# Controls, then what reorders or hides text: zero-width and bidirectional marks, separators, surrogates, tags.
_HIDDEN = (
    r"\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f"
)
_UNSAFE = re.compile(rf"[\x00-\x08\x0b-\x1f\x7f-\x9f{_HIDDEN}]")
_BREAKS = re.compile(r"\s+")
_UNSAFE_IN_JSON = re.compile(rf"[\x7f-\x9f{_HIDDEN}]")


def clean(text: object) -> str:
    """Return a text from outside as one line without control characters."""
    return _BREAKS.sub(" ", clean_lines(text)).strip()


def clean_lines(text: object) -> str:
    """Return a text from outside without control characters; its line ends and tabs stay."""
    plain = _SEQUENCES.sub("", str(text).replace("\r\n", "\n"))
    return _UNSAFE.sub("", plain)


def pretty_json(value: Json, *, ascii_only: bool = False) -> str:
    """Return indented JSON that is the same value and has no character that a terminal would act on.

    Only strings can hold such characters, and JSON can escape any of them there.
    """
    text = json.dumps(value, ensure_ascii=ascii_only, indent=2)
    return _UNSAFE_IN_JSON.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]


def duration(milliseconds: float) -> str:
    """Return a duration in at most 7 characters: 212ms, 1.9s, 2m 05s, 3h 07m, 12d 4h."""
    ms = max(0, round(milliseconds))
    seconds = ms // 1000
    if ms < 1000:
        return f"{ms}ms"
    if ms < 60_000:
        return f"{ms // 100 / 10:.1f}s"
    if seconds < 3600:
        return f"{seconds // 60}m {seconds % 60:02d}s"
    if seconds < 86_400:
        return f"{seconds // 3600}h {seconds // 60 % 60:02d}m"
    return f"{seconds // 86_400}d {seconds // 3600 % 24}h"


def countdown(milliseconds: float) -> str:
    """Return the time that is left in whole seconds, rounded up, so that it does not flicker: 12s, 2m 05s."""
    seconds = max(0, -(-round(milliseconds) // 1000))
    return f"{seconds}s" if seconds < 60 else duration(seconds * 1000)


def counted(number: int, thing: str) -> str:
    """Return `1 run`, `2,000 runs`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def moment(epoch_ms: int | None, zone: tzinfo | None = None) -> str:
    """Return the date and time in `zone` (None: the machine's own), or a dash."""
    if epoch_ms is None:
        return "-"
    try:
        when = datetime.fromtimestamp(epoch_ms / 1000, tz=zone).astimezone(zone)
    except (OverflowError, OSError, ValueError):
        return "-"
    return when.strftime("%Y-%m-%d %H:%M:%S")
