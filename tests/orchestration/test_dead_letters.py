"""Dead letters: what they are about, how they are looked at, and that doing one again leaves none behind or twice."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest

import cli.aws
from orchestration import dead_letters, orchestrator
from orchestration.dead_letters import Content, Letter, Origin, Record, SqsDeadLetters, Unknown
from orchestration.errors import InvalidRequest
from orchestration.queue import Message
from tests.support.events import event
from tests.support.letters import MemoryDeadLetters

MESSAGE = '{"run_id": "r", "task_id": "t", "version": 4}'
LAMBDA = json.dumps(event("stream_failure"))


def letter(origin: Origin, body: str, reason: str | None = None) -> Letter:
    return Letter("id-1", origin, body, sent_at=5, receives=2, reason=reason)


# -- what a letter is about --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "body", "about", "reason"),
    [
        (Origin.WORKER, MESSAGE, Message("r", "t", 4), None),
        (Origin.RECORDS, dead_letters.record_body(("r", "t"), "Bug: x"), Record("r", "t"), "Bug: x"),
        (Origin.RECORDS, dead_letters.record_body(None, "Bug: x"), Unknown(), "Bug: x"),
        (Origin.RECORDS, LAMBDA, Unknown(), "RetryAttemptsExhausted"),
    ],
)
def test_what_a_letter_is_about(origin: Origin, body: str, about: Content, reason: str | None) -> None:
    assert dead_letters.content(letter(origin, body)) == about
    run_id, task_id = (None, None) if isinstance(about, Unknown) else ("r", "t")
    assert dead_letters.summary(letter(origin, body)) == {
        "id": "id-1",
        "queue": origin.value,
        "sent_at": 5,
        "receives": 2,
        "run_id": run_id,
        "task_id": task_id,
        "reason": reason,
    }


def test_the_reason_that_was_noted_on_a_message() -> None:
    assert dead_letters.summary(letter(Origin.WORKER, MESSAGE, "Bug: x"))["reason"] == "Bug: x"


@pytest.mark.parametrize(
    ("origin", "body"),
    [
        (Origin.WORKER, "not JSON"),
        (Origin.WORKER, LAMBDA),
        (Origin.WORKER, '{"run_id":"a b","task_id":"t","version":1}'),
        (Origin.RECORDS, "not JSON"),
        (Origin.RECORDS, ""),
        (Origin.RECORDS, "[]"),
        (Origin.RECORDS, "{}"),
        (Origin.RECORDS, '{"run_id":null,"task_id":null}'),
        (Origin.RECORDS, '{"run_id":"r","task_id":5,"reason":"x"}'),
        (Origin.RECORDS, '{"run_id":"a/b","task_id":"t"}'),
        (Origin.RECORDS, '{"DDBStreamBatchInfo":5}'),
    ],
)
def test_what_nobody_of_ours_has_written(origin: Origin, body: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        dead_letters.content(letter(origin, body))
    assert str(error.value).isprintable()
    shown = dead_letters.summary(letter(origin, body))
    assert (shown["run_id"], shown["task_id"]) == (None, None)


# -- looking at them, and doing them again -----------------------------------------------------------------------------


def memory(worker: int = 0, records: int = 0) -> MemoryDeadLetters:
    """Return letters of each queue; their ids are letter-1, letter-2, ..., those of the workers first."""
    made = MemoryDeadLetters()
    for _ in range(worker):
        made.put(Origin.WORKER, MESSAGE)
    for _ in range(records):
        made.put(Origin.RECORDS, dead_letters.record_body(("r", "t"), "Bug"))
    return made


def ids(*numbers: int) -> list[str]:
    return [f"letter-{i}" for i in numbers]


@pytest.mark.parametrize(("limit", "of_worker", "of_records"), [(1, 1, 1), (10, 10, 3), (11, 11, 3), (100, 25, 3)])
def test_letters_that_are_read_stay(limit: int, of_worker: int, of_records: int) -> None:
    letters = memory(worker=25, records=3)
    read = dead_letters.read(letters, limit)
    assert [one.id for one in read] == ids(*range(1, of_worker + 1), *range(26, 26 + of_records))
    assert letters.ids() == ids(*range(1, 29))


@pytest.mark.parametrize("wanted", ids(1, 25, 26, 28))
def test_a_letter_that_is_found_stays(wanted: str) -> None:
    letters = memory(worker=25, records=3)
    found = dead_letters.find(letters, wanted)
    assert found is not None
    assert found.id == wanted
    assert letters.ids() == ids(*range(1, 29))


def test_a_letter_that_there_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    letters = memory(worker=25, records=3)
    assert dead_letters.find(letters, "letter-29") is None
    monkeypatch.setattr(dead_letters, "MAX_LETTERS", 12)
    assert dead_letters.find(letters, "letter-13") is None, "it looks at so many, and no more"
    assert dead_letters.redrive(letters, lambda _: None, "letter-29") == ([], {})
    assert letters.ids() == ids(*range(1, 29))


def test_all_letters_are_done_again_and_are_gone() -> None:
    letters = memory(worker=12, records=3)
    done: list[str] = []
    assert dead_letters.redrive(letters, lambda one: done.append(one.id)) == (ids(*range(1, 16)), {})
    assert done == ids(*range(1, 16))
    assert letters.ids() == []


def test_one_letter_is_done_again() -> None:
    letters = memory(worker=12, records=3)
    done: list[str] = []
    assert dead_letters.redrive(letters, lambda one: done.append(one.id), "letter-11") == (ids(11), {})
    assert done == ids(11)
    assert letters.ids() == ids(*range(1, 11), *range(12, 16))


def test_what_is_refused_stays() -> None:
    def act(one: Letter) -> None:
        if one.id == "letter-2":
            raise InvalidRequest("message: is none")

    letters = memory(worker=3)
    assert dead_letters.redrive(letters, act) == (ids(1, 3), {"letter-2": "message: is none"})
    assert letters.ids() == ids(2)


def test_an_error_on_the_way_leaves_what_was_not_done() -> None:
    def act(one: Letter) -> None:
        if one.id == "letter-2":
            raise RuntimeError("the table is gone")

    letters = memory(worker=3)
    with pytest.raises(RuntimeError):
        dead_letters.redrive(letters, act)
    assert letters.ids() == ids(2, 3)


def test_a_letter_is_deleted_only_when_it_has_been_done() -> None:
    letters = memory(worker=1)
    there: list[list[str]] = []
    dead_letters.redrive(letters, lambda _: there.append(list(letters.letters)))
    assert there == [ids(1)]


def test_a_letter_that_comes_into_sight_again_is_taken_once() -> None:
    """Whoever needs longer than letters stay out of sight would see the same ones without end."""
    letters = memory(worker=3)
    calls = 0

    def act(one: Letter) -> None:
        nonlocal calls
        calls += 1
        letters.taken.clear()
        raise InvalidRequest("message: is none")

    redriven, refused = dead_letters.redrive(letters, act)
    assert (redriven, sorted(refused), calls) == ([], ids(1, 2, 3), 3)


def test_letters_that_come_into_sight_again_do_not_hide_the_others() -> None:
    """A page may hold nothing but those that were seen already: the others come with one of the next."""
    letters = memory(worker=12)

    def act(one: Letter) -> None:
        if one.id == "letter-10":
            letters.taken.clear()
        raise InvalidRequest("message: is none")

    assert list(dead_letters.redrive(letters, act)[1]) == ids(*range(1, 13))
    assert letters.ids() == ids(*range(1, 13)), "all were put back"


def test_a_letter_that_came_again_is_put_back_by_its_last_receipt() -> None:
    class Sqs(MemoryDeadLetters):
        def take(self, origin: Origin, most: int) -> Sequence[Letter]:
            page = [replace(one, receipt=f"{one.id}/{one.receives}") for one in super().take(origin, most)]
            self.taken.clear()
            return page

        def put_back(self, letters: Iterable[Letter]) -> None:
            receipts.append([letter.receipt for letter in letters])

    receipts: list[list[str]] = []
    letters = Sqs()
    letters.put(Origin.WORKER, MESSAGE)
    assert [one.id for one in dead_letters.read(letters, 10)] == ids(1)
    assert receipts == [["letter-1/4"]], "it was looked at once, and came again three times"


@pytest.mark.parametrize("dropped", [1, 11, 12, 15])
def test_a_letter_is_dropped(dropped: int) -> None:
    letters = memory(worker=12, records=3)
    letter = dead_letters.drop(letters, f"letter-{dropped}")
    assert letter is not None
    assert letter.id == f"letter-{dropped}"
    assert letters.ids() == ids(*(number for number in range(1, 16) if number != dropped))


def test_a_letter_that_there_is_not_cannot_be_dropped() -> None:
    letters = memory(worker=12)
    assert dead_letters.drop(letters, "letter-13") is None
    assert letters.ids() == ids(*range(1, 13))


def test_a_sweep_that_a_letter_asks_for_ends_while_it_is_out_of_sight_and_somebody_waits_for_it() -> None:
    reads = cli.aws._CONFIG.read_timeout  # type: ignore[attr-defined]
    assert orchestrator.SWEEP_S < dead_letters.OUT_OF_SIGHT_S <= reads


# -- SQS ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["moto", pytest.param("emulator", marks=pytest.mark.e2e)])
def letters(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> SqsDeadLetters:
    """The letters of two queues of their own."""
    monkeypatch.setattr(dead_letters, "WAIT_S", 0)
    if request.param == "emulator":
        sqs = request.getfixturevalue("emulator").client("sqs")
    else:
        sqs = request.getfixturevalue("client")("sqs")
    name = uuid.uuid4().hex
    urls = {origin: sqs.create_queue(QueueName=f"{origin}-{name}")["QueueUrl"] for origin in Origin}
    return SqsDeadLetters(sqs, urls)


def test_letters_of_sqs(letters: SqsDeadLetters) -> None:
    for i in range(25):
        letters.put(Origin.WORKER, f"message {i}", "Bug: é \u2026")
    letters.put(Origin.RECORDS, LAMBDA)
    assert letters.counts() == {Origin.WORKER: 25, Origin.RECORDS: 1}
    read = dead_letters.read(letters, 100)
    assert sorted(one.body for one in read) == sorted([LAMBDA, *(f"message {i}" for i in range(25))])
    assert {(one.origin, one.reason, one.receives) for one in read} == {
        (Origin.WORKER, "Bug: é \u2026", 1),
        (Origin.RECORDS, None, 1),
    }
    assert all(1_700_000_000_000 < one.sent_at < 10_000_000_000_000 for one in read)
    assert letters.counts() == {Origin.WORKER: 25, Origin.RECORDS: 1}
    again = dead_letters.read(letters, 100)
    assert {one.id for one in again} == {one.id for one in read}, "they were put back"
    for one in read:
        found = dead_letters.find(letters, one.id)
        assert found is not None
        assert (found.id, found.body) == (one.id, one.body)


def test_letters_of_sqs_that_are_held_are_out_of_sight_and_counted(letters: SqsDeadLetters) -> None:
    letters.put(Origin.WORKER, "x")
    (one,) = letters.take(Origin.WORKER, 10)
    assert letters.take(Origin.WORKER, 10) == []
    assert letters.counts()[Origin.WORKER] == 1
    letters.put_back([one])
    (again,) = letters.take(Origin.WORKER, 1)
    letters.delete(again)
    assert letters.counts()[Origin.WORKER] == 0
    letters.put_back([again])  # it has been deleted, which is as good


def test_what_is_done_again_leaves_sqs(letters: SqsDeadLetters) -> None:
    for i in range(23):
        letters.put(Origin.WORKER, f"message {i}")
    done: list[str] = []
    redriven, refused = dead_letters.redrive(letters, lambda one: done.append(one.body))
    assert (len(redriven), refused) == (23, {})
    assert sorted(done) == sorted(f"message {i}" for i in range(23))
    assert dead_letters.read(letters, 100) == []


def test_what_is_dropped_leaves_sqs(letters: SqsDeadLetters) -> None:
    for i in range(3):
        letters.put(Origin.WORKER, f"message {i}")
    one = dead_letters.read(letters, 100)[0]
    dropped = dead_letters.drop(letters, one.id)
    assert dropped is not None
    assert (dropped.id, dropped.body) == (one.id, one.body)
    assert {left.body for left in dead_letters.read(letters, 100)} == {f"message {i}" for i in range(3)} - {one.body}


def test_a_body_is_cut_to_what_a_message_may_hold(letters: SqsDeadLetters) -> None:
    letters.put(Origin.WORKER, "\U0001f600" * 300_000, "x" * 300)
    (one,) = dead_letters.read(letters, 1)
    assert len(one.body) == 60_000


def test_sqs_is_asked_to_look_on_all_of_its_servers() -> None:
    asked: list[dict[str, Any]] = []

    class Client:
        def receive_message(self, **request: Any) -> dict[str, Any]:
            asked.append(request)
            return {}

    client: Any = Client()
    letters = SqsDeadLetters(client, {Origin.WORKER: "https://queue"})
    assert letters.take(Origin.WORKER, 7) == []
    assert asked == [
        {
            "QueueUrl": "https://queue",
            "MaxNumberOfMessages": 7,
            "VisibilityTimeout": 60,
            "WaitTimeSeconds": 1,
            "MessageSystemAttributeNames": ["SentTimestamp", "ApproximateReceiveCount"],
            "MessageAttributeNames": ["reason"],
        }
    ]
