"""Says what deploying would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local.engine import Engine, Wanted
from local.messages import refuse_protected
from local.plan import Operation, Step
from local.pulumi_runtime import Registered
from local.state import Record

# What an update of something that is made from files (a function, an image) leaves as it is.
_STABLE = frozenset({"arn", "invokeArn", "qualifiedArn"})


@dataclass
class Planner(Engine):
    """Works out every step without carrying it out; it needs no emulator.

    `unrecorded` says that the state has to be written although no resource changes: one was renamed, for example.
    """

    unrecorded: bool = False

    @property
    def changes_nothing(self) -> bool:
        return not self.unrecorded and all(step.operation is Operation.SAME for step in self.steps)

    def finish(self) -> None:
        """Add the deletion of what the program does not want any more."""
        for record in self.leftovers():
            if record.urn not in self.seen:
                refuse_protected(record, "deleted")
            step = Step(Operation.DELETE, record.urn, record.type, record.name)
            self.steps.append(step)
            self.on_step(step)

    def _perform(self, wanted: Wanted) -> Registered:
        operation, old = wanted.decision.operation, wanted.old
        if operation is Operation.REPLACE:
            refuse_protected(wanted.registration, "replaced")
        self.show(wanted)
        if old is not None and not _is_recorded(wanted, old):
            self.unrecorded = True
        name_property = wanted.handler.name_property
        named = {name_property: wanted.inputs[name_property]} if name_property else {}
        if old is None:
            return Registered("", named)
        if operation is Operation.REPLACE:
            return Registered("", {})
        return Registered(old.id, {**self._known_outputs(wanted, old), **named})

    def _known_outputs(self, wanted: Wanted, old: Record) -> dict[str, Any]:
        made_from_files = wanted.handler.fingerprint(self.images, wanted.inputs)
        if wanted.decision.operation is Operation.UPDATE and made_from_files:
            return {name: value for name, value in old.outputs.items() if name in _STABLE}
        return old.outputs


def _is_recorded(wanted: Wanted, old: Record) -> bool:
    now = wanted.registration
    return (now.urn, now.parent, now.dependencies, now.protect, now.retain) == (
        old.urn,
        old.parent,
        old.dependencies,
        old.protect,
        old.retain,
    )
