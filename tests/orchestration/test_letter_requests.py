"""Requests about dead letters: shown, handled once more, dropped, and every refusal."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from orchestration.dead_letters import Origin, record_body
from orchestration.errors import Conflict, InvalidRequest, NotFound, Refused, Retryable
from orchestration.model import RunStatus
from orchestration.payload import Json
from orchestration.queue import Message
from orchestration.requests import Requests
from tests.support import shapes
from tests.support.behaviour import failing
from tests.support.letters import MemoryDeadLetters
from tests.support.served import served as serve
from tests.support.world import World


def served(world: World, letters: MemoryDeadLetters) -> Requests:
    """Return what a fresh process serves with."""
    return serve(world, frozenset({"a", "b1", "b2", "b3", "c"}), [shapes.diamond()], letters)


NO_MESSAGE = "message: is not JSON with the run_id, the task_id and the version of a task"
LOST = {"DDBStreamBatchInfo": {"shardId": "s", "startSequenceNumber": "1"}, "requestContext": {"condition": "Expired"}}


def lost(world: World) -> MemoryDeadLetters:
    """Return the letters of a world in which the message of A, and nothing else, got lost, and others of no meaning."""
    letters = MemoryDeadLetters()
    world.start(shapes.diamond())
    (message,) = world.queue.messages
    world.queue.messages.clear()
    letters.put(Origin.WORKER, json.dumps(asdict(message)), "Bug: it broke")
    letters.put(Origin.WORKER, "not JSON")
    letters.put(Origin.RECORDS, record_body(("r", "A"), "Bug: again"))
    letters.put(Origin.RECORDS, json.dumps(LOST))
    return letters


def shown(number: int, queue: str, **fields: Json) -> dict[str, Json]:
    about = {"run_id": None, "task_id": None, "reason": None, **fields}
    return {"id": f"letter-{number}", "queue": queue, "sent_at": 1_000 + number, "receives": 1, **about}


def test_dead_letters_are_listed_the_newest_first() -> None:
    world = World()
    letters = lost(world)
    answer = served(world, letters).answer({"action": "dead_letters"})
    assert answer == {
        "letters": [
            shown(4, "records", reason="Expired"),
            shown(3, "records", run_id="r", task_id="A", reason="Bug: again"),
            shown(2, "worker"),
            shown(1, "worker", run_id="r", task_id="A", reason="Bug: it broke"),
        ],
        "queues": [{"queue": "worker", "messages": 2}, {"queue": "records", "messages": 2}],
    }
    assert json.loads(json.dumps(answer)) == answer
    assert len(served(world, letters).answer({"action": "dead_letters", "limit": 1})["letters"]) == 1
    assert len(letters.ids()) == 4


def test_a_dead_letter_is_shown_with_its_body() -> None:
    letters = lost(World())
    answer = served(World(), letters).answer({"action": "dead_letter", "id": "letter-2"})
    assert answer == {"letter": {**shown(2, "worker"), "body": "not JSON"}}
    assert len(letters.ids()) == 4


def redriven(world: World, letters: MemoryDeadLetters, **fields: Json) -> dict[str, Json]:
    return served(world, letters).answer({"action": "redrive_dead_letters", **fields})


def test_a_message_is_sent_again() -> None:
    world = World()
    letters = lost(world)
    assert redriven(world, letters, id="letter-1") == {"redriven": ["letter-1"], "refused": []}
    assert world.queue.messages == [Message("r", "A", 1)]
    assert letters.ids() == ["letter-2", "letter-3", "letter-4"]
    world.settle()
    assert world.run().status is RunStatus.SUCCEEDED


def test_a_record_is_followed_and_the_end_of_its_run_is_told() -> None:
    world = World()
    world.services.run = failing("A")
    letters = lost(world)
    world.deliver(Message("r", "A", 1))
    world.store.stream.clear()
    assert redriven(world, letters, id="letter-3") == {"redriven": ["letter-3"], "refused": []}
    assert world.run().status is RunStatus.FAILED
    assert world.ended == [world.run()]
    assert letters.ids() == ["letter-1", "letter-2", "letter-4"]


def test_of_a_record_that_nobody_knows_every_run_that_is_due_is_swept() -> None:
    world = World()
    letters = lost(world)
    world.clock.time += 1_000_000
    assert redriven(world, letters, id="letter-4") == {"redriven": ["letter-4"], "refused": []}
    assert world.queue.messages == [Message("r", "A", 1)]


def test_all_letters_are_redriven_and_it_is_swept_once() -> None:
    world = World()
    letters = lost(world)
    letters.put(Origin.RECORDS, record_body(None, "Bug: what is it"))
    sweeps: list[int] = []
    requests = replace(served(world, letters), sweep=lambda: sweeps.append(1))
    assert requests.answer({"action": "redrive_dead_letters", "all": True}) == {
        "redriven": ["letter-1", "letter-3", "letter-4", "letter-5"],
        "refused": [{"id": "letter-2", "reason": NO_MESSAGE}],
    }
    assert sweeps == [1]
    assert letters.ids() == ["letter-2"]
    refused = [{"id": "letter-2", "reason": NO_MESSAGE}]
    assert redriven(world, letters, all=True) == {"redriven": [], "refused": refused}
    world.settle()
    assert world.run().status is RunStatus.SUCCEEDED


def test_a_record_that_still_cannot_be_handled_stays() -> None:
    world = World()
    letters = lost(world)
    world.deliver(Message("r", "A", 1))
    world.definitions.versions.clear()
    with pytest.raises(Conflict) as error:
        redriven(world, letters, id="letter-3")
    line = f"OrchestraError: abc: the definition {shapes.diamond().version} is missing from the table"
    assert str(error.value) == f"id: 'letter-3' stays where it is: it still cannot be handled: {line}"
    assert len(letters.ids()) == 4


def test_a_letter_that_cannot_be_redriven_is_dropped_and_shown_once_more() -> None:
    world = World()
    letters = lost(world)
    before = dict(world.store.records)
    answer = served(world, letters).answer({"action": "drop_dead_letter", "id": "letter-2"})
    assert answer == {"letter": {**shown(2, "worker"), "body": "not JSON"}}
    assert letters.ids() == ["letter-1", "letter-3", "letter-4"]
    assert (world.store.records, world.queue.messages) == (before, [])


@pytest.mark.parametrize("error", [Retryable("the queue is busy"), OSError("reset")])
def test_a_redrive_that_another_try_can_mend_is_an_error(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise error

    world = World()
    letters = lost(world)
    for target, name in ((world.queue, "send"), (world.store, "get_run_and_task")):
        monkeypatch.setattr(target, name, broken)
    for letter_id in ("letter-1", "letter-3"):
        with pytest.raises(type(error)):
            redriven(world, letters, id=letter_id)
    assert len(letters.ids()) == 4


NEITHER = 'id: name one letter by "id", or all of them by "all": true'
NO_LETTER = (
    "id: there is no dead letter 'letter-9' among the first 1000 of each queue; it may be gone already, or be in use"
)


@pytest.mark.parametrize(
    ("request_", "kind", "line"),
    [
        (
            {"action": "dead_letters", "limit": 101},
            InvalidRequest,
            "limit: must be a whole number from 1 to 100, not 101",
        ),
        ({"action": "dead_letter"}, InvalidRequest, "id: is missing from the request 'dead_letter'"),
        (
            {"action": "dead_letter", "id": "a b"},
            InvalidRequest,
            "id: 'a b' is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -",
        ),
        ({"action": "dead_letter", "id": "letter-9"}, NotFound, NO_LETTER),
        ({"action": "redrive_dead_letters"}, InvalidRequest, NEITHER),
        ({"action": "redrive_dead_letters", "all": False}, InvalidRequest, NEITHER),
        ({"action": "redrive_dead_letters", "all": 1}, InvalidRequest, NEITHER),
        ({"action": "redrive_dead_letters", "id": "letter-9", "all": True}, InvalidRequest, NEITHER),
        ({"action": "redrive_dead_letters", "id": "letter-9"}, NotFound, NO_LETTER),
        (
            {"action": "redrive_dead_letters", "id": 5},
            InvalidRequest,
            "id: 5 is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -",
        ),
        (
            {"action": "redrive_dead_letters", "id": "letter-2"},
            Conflict,
            f"id: 'letter-2' stays where it is: {NO_MESSAGE}",
        ),
        ({"action": "drop_dead_letter"}, InvalidRequest, "id: is missing from the request 'drop_dead_letter'"),
        ({"action": "drop_dead_letter", "id": "letter-9"}, NotFound, NO_LETTER),
        (
            {"action": "drop_dead_letter", "id": None},
            InvalidRequest,
            "id: None is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -",
        ),
    ],
)
def test_letters_that_are_refused(request_: dict[str, Json], kind: type[Refused], line: str) -> None:
    world = World()
    letters = lost(world)
    with pytest.raises(Refused) as error:
        served(world, letters).answer(request_)
    assert isinstance(error.value, kind)
    assert str(error.value) == line
    assert len(letters.ids()) == 4
