"""Requests about dead letters: what could not be handled is shown, handled once more, or dropped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from orchestration import dead_letters, failures
from orchestration.dead_letters import DeadLetters, Letter, Record
from orchestration.engine import Engine
from orchestration.errors import Conflict, InvalidRequest, NotFound
from orchestration.model import Run
from orchestration.pages import DEFAULT_PAGE, require_page
from orchestration.payload import Json
from orchestration.queue import Message
from orchestration.workflow import require_id


@dataclass(frozen=True)
class LetterRequests:
    """Answers requests; each method is an action. Its fields are those of `Requests`."""

    engine: Engine
    letters: DeadLetters
    ended: Callable[[Run], None]
    sweep: Callable[[], object]

    def dead_letters(self, *, limit: Json = DEFAULT_PAGE) -> dict[str, Json]:
        require_page(limit, None)
        newest = sorted(dead_letters.read(self.letters, limit), key=lambda letter: letter.sent_at, reverse=True)
        counts = self.letters.counts()
        return {
            "letters": [dead_letters.summary(letter) for letter in newest[:limit]],
            "queues": [{"queue": origin, "messages": count} for origin, count in counts.items()],
        }

    def dead_letter(self, *, id: Json) -> dict[str, Json]:  # noqa: A002
        require_id("id", id)
        letter = dead_letters.find(self.letters, id)
        if letter is None:
            raise _no_such_letter(id)
        return _whole(letter)

    def redrive_dead_letters(self, *, id: Json = None, all: Json = None) -> dict[str, Json]:  # noqa: A002
        if (id is None) == (all is None) or not (all is None or all is True):
            raise InvalidRequest('id: name one letter by "id", or all of them by "all": true')
        if id is not None:
            require_id("id", id)
        sweep = cache(self.sweep)  # once, however many letters ask for it
        redriven, refused = dead_letters.redrive(self.letters, lambda letter: self._do_again(letter, sweep), id)
        if id is not None and refused:
            raise Conflict(f"id: {id!r} stays where it is: {refused[id]}")
        if id is not None and not redriven:
            raise _no_such_letter(id)
        return {
            "redriven": redriven,
            "refused": [{"id": letter_id, "reason": reason} for letter_id, reason in refused.items()],
        }

    def drop_dead_letter(self, *, id: Json) -> dict[str, Json]:  # noqa: A002
        require_id("id", id)
        letter = dead_letters.drop(self.letters, id)
        if letter is None:
            raise _no_such_letter(id)
        return _whole(letter)

    def _do_again(self, letter: Letter, sweep: Callable[[], object]) -> None:
        """Do what a letter is about. Raises Refused if that cannot be done."""
        match dead_letters.content(letter):
            case Message() as message:
                self.engine.queue.send([message])
            case Record(run_id, task_id):
                try:
                    ended = self.engine.advance(run_id, task_id)
                except Exception as error:
                    if failures.is_mendable(error):
                        raise
                    raise Conflict(f"it still cannot be handled: {failures.reason(error)}") from error
                if ended:
                    self.ended(ended)
            case _:
                # Whatever was lost with these records is due in a sweep.
                sweep()


def _whole(letter: Letter) -> dict[str, Json]:
    return {"letter": {**dead_letters.summary(letter), "body": letter.body}}


def _no_such_letter(letter_id: str) -> NotFound:
    where = f"among the first {dead_letters.MAX_LETTERS} of each queue"
    return NotFound(f"id: there is no dead letter {letter_id!r} {where}; it may be gone already, or be in use")
