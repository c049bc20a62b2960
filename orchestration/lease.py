"""A claim under way: its worker renews it for as long as it lives and still owns it."""

from __future__ import annotations

from orchestration import decide
from orchestration.model import TaskState, TaskStatus
from orchestration.steps import Steps, stored_of
from orchestration.store import Change


class Lease:
    def __init__(self, steps: Steps, claim: TaskState, timeout_s: float = 0) -> None:
        self.claim: TaskState | None = claim  # None: the task has another owner by now
        self._steps = steps
        self._timeout_s = timeout_s

    def renew(self) -> None:
        timing = self._steps.timing
        if self.claim is None or self._timeout_s <= timing.lease_s:
            return  # its first lease is for all of its time
        renewed = decide.renew(self.claim, self._steps.clock.now() + timing.lease_ms(self._timeout_s))
        try:
            (outcome,) = self._steps.store.save([Change(self.claim, renewed)])
        except Exception:  # noqa: BLE001 - the next one may get through, and the lease lasts for two more
            return
        self.found(stored_of(outcome))

    def found(self, stored: TaskState | None) -> None:
        """Take note of what is stored. It may be a renewal of our own that was written though it seemed to fail."""
        mine = self.claim is not None and stored is not None and stored.owner == self.claim.owner
        self.claim = stored if mine and stored is not None and stored.status is TaskStatus.RUNNING else None
