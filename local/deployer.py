"""Creates, updates, replaces and deletes, and records each change as soon as it stands."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

from local.aws import Aws
from local.engine import Engine, Wanted
from local.handlers import HANDLERS
from local.handlers.base import Scope
from local.messages import naming, refuse_protected
from local.plan import Operation, Step
from local.pulumi_runtime import Registered
from local.state import Phase, Record, StateStore

# How AWS says that something is already gone.
_GONE = ("NotFound", "NoSuchEntity", "NonExistentQueue", "ResourceNotFound", "QueueDoesNotExist")


@dataclass
class Deployer(Engine):
    """Carries out what the program wants. `state` is written after every change, so nothing that stands is forgotten.

    `resuming`: the last deployment was cut short, so there may be resources that it had no time to record.
    """

    emulator_aws: Aws = field(kw_only=True)
    store: StateStore = field(kw_only=True)
    resuming: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._scopes = {self.region: Scope(self.emulator_aws, self.images)}
        self._saving = threading.Lock()
        self._changes = self._saved = 0

    def begin(self) -> None:
        """Record that a deployment is under way."""
        self.store.create()
        self.state.phase = Phase.DEPLOYING
        self._save()

    def finish(self) -> None:
        """Delete what the program does not want any more, and record that the deployment is complete."""
        for record in self.leftovers():
            if record.urn not in self.seen:
                refuse_protected(record, "deleted")
            with naming(record):
                self._delete(record)
            self._forget(record)
            step = Step(Operation.DELETE, record.urn, record.type, record.name)
            self.on_step(step)
            if record.urn not in self.seen:  # a replaced one has been counted as such
                self.steps.append(step)
        self.state.outputs = self.outputs
        self.state.phase = Phase.COMPLETE
        self._save()

    def scope(self, region: str) -> Scope:
        with self._lock:
            if region not in self._scopes:
                self._scopes[region] = Scope(Aws(self.emulator_aws.emulator, region), self.images)
            return self._scopes[region]

    def _perform(self, wanted: Wanted) -> Registered:
        operation = wanted.decision.operation
        if operation is Operation.REPLACE:
            refuse_protected(wanted.registration, "replaced")
        done = {
            Operation.CREATE: self._create,
            Operation.UPDATE: self._update,
            Operation.REPLACE: self._replace,
            Operation.SAME: self._keep,
        }[operation](wanted)
        self._record(wanted, done)
        self.show(wanted)
        name_property = wanted.handler.name_property
        named = {name_property: wanted.inputs[name_property]} if name_property else {}
        return Registered(done.id, {**named, **done.outputs})

    def _create(self, wanted: Wanted) -> Registered:
        scope = self.scope(wanted.region)
        if self.resuming:
            for left in wanted.handler.unrecorded(scope, wanted.inputs):
                with _tolerating_gone():
                    wanted.handler.delete(scope, left)
        return wanted.handler.create(scope, wanted.inputs)

    def _update(self, wanted: Wanted) -> Registered:
        current = _current(wanted)
        changed = wanted.decision.changed
        outputs = wanted.handler.update(self.scope(wanted.region), current, wanted.inputs, changed)
        return Registered(current.id, outputs)

    def _keep(self, wanted: Wanted) -> Registered:
        current = _current(wanted)
        wanted.handler.keep(self.scope(wanted.region), current, wanted.inputs)
        return current

    def _replace(self, wanted: Wanted) -> Registered:
        """Make the new one first, as Pulumi does, unless both would have the same name."""
        old, name_property = wanted.old, wanted.handler.name_property
        assert old is not None
        same_name = name_property is None or (
            wanted.named_by_program and wanted.inputs[name_property] == old.inputs.get(name_property)
        )
        if same_name or wanted.registration.delete_before_replace:
            self._delete(old)
            self._forget(old)
            return self._create(wanted)
        if not wanted.named_by_program and name_property is not None:
            old_name = str(old.inputs.get(name_property))
            name = self.new_name(wanted.registration, wanted.handler, wanted.inputs, old_name)
            wanted.inputs[name_property] = wanted.canonical[name_property] = name
        done = self._create(wanted)
        with self._lock:
            self.state.replaced.append(old)
        return done

    def _delete(self, record: Record) -> None:
        if not record.retain:
            with _tolerating_gone():
                HANDLERS[record.type].delete(self.scope(record.region), Registered(record.id, record.outputs))

    def _record(self, wanted: Wanted, done: Registered) -> None:
        registration, old = wanted.registration, wanted.old
        same = old is not None and wanted.decision.operation is Operation.SAME
        record = Record(
            urn=registration.urn,
            type=registration.type,
            name=registration.name,
            id=done.id,
            inputs=old.inputs if old is not None and same else wanted.canonical,
            outputs=dict(done.outputs),
            dependencies=registration.dependencies,
            parent=registration.parent,
            protect=registration.protect,
            retain=registration.retain,
            region=wanted.region,
        )
        with self._lock:
            changed = self.state.resources.get(registration.urn) != record
            if old is not None and old.urn != registration.urn:
                self.state.resources.pop(old.urn, None)  # it was found under an alias
            self.state.resources[registration.urn] = record
        if changed:
            self._save()

    def _forget(self, record: Record) -> None:
        with self._lock:
            if record in self.state.replaced:
                self.state.replaced.remove(record)
            else:
                self.state.resources.pop(record.urn, None)
        self._save()

    def _save(self) -> None:
        """Return once the state as it is now is written; changes of many threads go into one write."""
        with self._lock:
            self._changes += 1
            change = self._changes
        with self._saving:
            if self._saved >= change:
                return
            with self._lock:
                included, text = self._changes, self.state.to_json()
            self.store.save(text)
            self._saved = included


def _current(wanted: Wanted) -> Registered:
    assert wanted.old is not None
    return Registered(wanted.old.id, wanted.old.outputs)


@contextmanager
def _tolerating_gone() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if not any(word in error.response["Error"]["Code"] for word in _GONE):
            raise
