"""What an error means to whoever handles messages and records: whether another try can mend it, and how it is told.

An error's own text may quote what was being handled, and a payload is for nobody's log. So it is told only of errors
whose texts are known to name no content: the engine's own, and those of AWS. Of any other, its place in the code is.
"""

from __future__ import annotations

import traceback
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from orchestration.errors import OrchestraError, Retryable

MALFORMED = frozenset({"ValidationException", "SerializationException"})
"""The codes with which AWS says that the same request can never succeed."""
MAX_REASON_CHARS = 300


def is_mendable(error: Exception) -> bool:
    """Tell whether the same work may succeed at another time: a service or this process had not what it takes."""
    match error:
        case ClientError():
            return error.response["Error"]["Code"] not in MALFORMED
        case ParamValidationError():
            return False
    return isinstance(error, BotoCoreError | Retryable | OSError | MemoryError)


def reason(error: Exception) -> str:
    """Return the error in one line of bounded length, without anything of what was being handled."""
    told = isinstance(error, OrchestraError | ClientError | BotoCoreError) and not isinstance(
        error, ParamValidationError
    )
    line = f"{type(error).__name__}{f': {error}' if told else f' at {place(error)}'}"
    line = "".join(c if c.isprintable() else " " for c in line)
    return line if len(line) <= MAX_REASON_CHARS else f"{line[: MAX_REASON_CHARS - 3]}..."


def place(error: Exception) -> str:
    """Return where in the engine's code an error came from: the innermost line of it."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).parent == Path(__file__).parent]
    return next((_shown(frame) for frame in reversed(own or frames)), "an unknown place")


def trace(error: Exception) -> list[str]:
    """Return the places that an error came through, the innermost last."""
    return [_shown(frame) for frame in traceback.extract_tb(error.__traceback__)]


def _shown(frame: traceback.FrameSummary) -> str:
    return f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"
