"""Choices: a seed's are its own, a tape's are what was drawn, and zero is harmless."""

from __future__ import annotations

from tests.simulation import faults, scenario
from tests.simulation.faults import Faults, Outcome
from tests.simulation.tape import SIZE, Tape


def test_a_seed_always_gives_the_same() -> None:
    assert [Tape.of_seed(7).draw() for _ in range(3)] == [Tape.of_seed(7).draw() for _ in range(3)]
    assert Tape.of_seed(7).draw() != Tape.of_seed(8).draw()


def test_what_was_drawn_can_be_played_again() -> None:
    first = Tape.of_seed(1)
    drawn = [first.below(10), first.between(5, 7), first.pick("abc"), first.chance(0.5), first.fraction()]
    again = Tape.of_values(first.drawn)
    assert [again.below(10), again.between(5, 7), again.pick("abc"), again.chance(0.5), again.fraction()] == drawn


def test_beyond_its_end_a_tape_is_harmless() -> None:
    tape = Tape.of_values(())
    assert (tape.below(10), tape.between(5, 7), tape.pick("abc"), tape.chance(0.99)) == (0, 5, "a", False)
    assert scenario.drawn(Tape.of_values(())).faults == Faults()


def test_what_cannot_happen_takes_no_choice() -> None:
    tape = Tape.of_seed(1)
    assert not tape.chance(0)
    assert Faults().of_call(tape) is Outcome.OK
    assert tape.drawn == []


def test_every_choice_stays_in_its_range() -> None:
    highest = Tape.of_values([SIZE - 1] * 5)
    assert (highest.below(10), highest.between(5, 7), highest.pick("abc"), highest.chance(0.01)) == (9, 7, "c", True)


def test_all_outcomes_of_a_call_are_drawn_and_most_calls_succeed() -> None:
    rates = Faults(crash=0.1, lost_reply=0.05, refused=0.05, unknown=0.05, pause=0.1)
    tape = Tape.of_seed(1)
    drawn = [rates.of_call(tape) for _ in range(2_000)]
    assert set(drawn) == set(Outcome)
    assert 0.6 < drawn.count(Outcome.OK) / 2_000 < 0.7


def test_a_fault_is_absent_from_many_seeds() -> None:
    absent = sum(faults.drawn(Tape.of_seed(seed)).crash == 0 for seed in range(500))
    assert 0.3 < absent / 500 < 0.5
