"""Dead letters in memory: two queues whose letters are out of sight while somebody holds them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchestration.dead_letters import Letter, Origin


@dataclass
class MemoryDeadLetters:
    letters: dict[str, Letter] = field(default_factory=dict)  # by id
    taken: set[str] = field(default_factory=set)  # ids of those that are out of sight
    time: int = 1_000

    def put(self, origin: Origin, body: str, reason: str | None = None) -> None:
        self.time += 1
        number = f"letter-{len(self.letters) + 1}"
        self.letters[number] = Letter(number, origin, body, self.time, receives=0, reason=reason, receipt=number)

    def take(self, origin: Origin, most: int) -> Sequence[Letter]:
        assert 1 <= most <= 10
        page = [one for one in self.letters.values() if one.origin is origin and one.id not in self.taken][:most]
        self.taken.update(letter.id for letter in page)
        self.letters |= {letter.id: replace(letter, receives=letter.receives + 1) for letter in page}
        return [self.letters[letter.id] for letter in page]

    def put_back(self, letters: Iterable[Letter]) -> None:
        self.taken -= {letter.receipt for letter in letters}

    def delete(self, letter: Letter) -> None:
        del self.letters[letter.receipt]

    def counts(self) -> Mapping[Origin, int]:
        return {origin: sum(1 for one in self.letters.values() if one.origin is origin) for origin in Origin}

    def ids(self) -> list[str]:
        """Return the ids of all letters, having checked that all can be seen."""
        assert not self.taken & self.letters.keys()
        return list(self.letters)
