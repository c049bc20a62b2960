"""Answers the program's registrations, up to the point where planning and deploying part."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.errors import LocalError
from local.handlers import HANDLERS
from local.handlers.base import Handler
from local.images import Images
from local.lookups import LOOKUPS
from local.messages import Stopped, described, in_component, naming, short_token
from local.plan import Decision, Step, decide, deletion_order, generated_name
from local.pulumi_runtime import Registered, Registration
from local.state import Record, State
from local.values import canonical, has_secret, plain

PROVIDERS = "pulumi:providers:"
_SUPPORTED_PROVIDERS = frozenset({"pulumi:providers:aws", "pulumi:providers:docker-build"})
OnStep = Callable[[Step], None]


@dataclass
class Wanted:
    """A registration with what the engine has worked out about it."""

    registration: Registration
    handler: Handler
    region: str
    inputs: dict[str, Any]
    canonical: dict[str, Any]
    old: Record | None
    decision: Decision
    named_by_program: bool


@dataclass
class Engine:
    """What planning and deploying have in common. `state` is what stands; it is read here and changed by deploying."""

    state: State
    region: str
    on_step: OnStep
    images: Images = field(default_factory=Images)
    steps: list[Step] = field(default_factory=list)
    unsupported: list[str] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._stopped = False
        self._provider_regions: dict[str, str] = {}

    def stop(self) -> None:
        self._stopped = True

    def register(self, wanted: Registration) -> Registered:
        self._check(wanted)
        if not wanted.custom:
            return Registered("", {})
        if wanted.type.startswith(PROVIDERS):
            return self._register_provider(wanted)
        handler = HANDLERS.get(wanted.type)
        if handler is None:
            self._refuse(f"resource {described(wanted.type, wanted.name, wanted.parent)}")
            return Registered("", {})
        if wanted.import_id:
            self._refuse(f"import of {described(wanted.type, wanted.name, wanted.parent)}")
        with naming(wanted):
            return self._perform(self._work_out(wanted, handler))

    def look_up(self, token: str, arguments: dict[str, Any], parent: str) -> Mapping[str, Any]:
        if token in LOOKUPS:
            return LOOKUPS[token](str(arguments.get("region") or self.region))
        self._refuse(f"look-up {short_token(token)}{in_component(parent)}")
        return {}

    def read(self, type_: str, name: str, parent: str) -> Registered:
        self._refuse(f"reading of an existing {described(type_, name, parent)}")
        return Registered("", {})

    def export(self, outputs: dict[str, Any]) -> None:
        self.outputs = {
            name: {"value": _plain_output(value), "secret": has_secret(value)} for name, value in outputs.items()
        }

    def leftovers(self) -> list[Record]:
        """Return what stands, or was replaced, and is not wanted any more; dependents come first."""
        gone = {urn: record for urn, record in self.state.resources.items() if urn not in self.seen}
        gone |= {f"{record.urn}#{number}": record for number, record in enumerate(self.state.replaced)}
        keys = {urn: [key for key, other in gone.items() if other.urn == urn] for urn in {r.urn for r in gone.values()}}
        graph = {
            key: [other for urn in record.dependencies for other in keys.get(urn, [])] for key, record in gone.items()
        }
        return [gone[key] for key in deletion_order(graph)]

    def _perform(self, wanted: Wanted) -> Registered:
        raise NotImplementedError

    def _refuse(self, what: str) -> None:
        with self._lock:
            self.unsupported.append(what)

    def _check(self, wanted: Registration) -> None:
        with self._lock:
            if self._stopped:
                raise Stopped("stopped")
            if wanted.urn in self.seen:
                where = described(wanted.type, wanted.name, wanted.parent)
                raise LocalError(f"duplicate resource URN {wanted.urn}: give this {where} a name of its own")
            self.seen.add(wanted.urn)

    def _register_provider(self, wanted: Registration) -> Registered:
        if wanted.type not in _SUPPORTED_PROVIDERS:
            self._refuse(f"provider {described(wanted.type, wanted.name, wanted.parent)}")
        region = plain(wanted.inputs).get("region")
        if isinstance(region, str):
            with self._lock:
                self._provider_regions[wanted.urn] = region
        return Registered("local", {})

    def _work_out(self, wanted: Registration, handler: Handler) -> Wanted:
        old = self._take_over(wanted)
        inputs = plain(wanted.inputs)
        name_property = handler.name_property
        named = name_property is None or inputs.get(name_property) is not None
        if name_property is not None and not named:
            inputs[name_property] = old.inputs[name_property] if old else self.new_name(wanted, handler, inputs)
        comparable = canonical(wanted.inputs) | (
            {name_property: canonical(inputs[name_property])} if name_property is not None else {}
        )
        comparable |= handler.fingerprint(self.images, inputs)
        decision = decide(
            old.inputs if old else None,
            comparable,
            [*handler.replacing, *wanted.replace_on_changes],
            wanted.ignore_changes,
        )
        inputs |= self._kept(wanted, old)
        region = str(
            inputs.get("region") or self._provider_regions.get(wanted.provider.rpartition("::")[0], self.region)
        )
        return Wanted(wanted, handler, region, inputs, comparable, old, decision, named)

    @staticmethod
    def _kept(wanted: Registration, old: Record | None) -> dict[str, Any]:
        """Return the recorded values of properties whose changes the program ignores."""
        if old is None:
            return {}
        values = {name: old.inputs[name] for name in wanted.ignore_changes if name in old.inputs}
        return {name: value for name, value in values.items() if not _is_hash(value)}

    def _take_over(self, wanted: Registration) -> Record | None:
        """Return the record of the resource, which may still be under the URN of an alias."""
        with self._lock:
            for urn in (wanted.urn, *wanted.aliases):
                if urn in self.state.resources:
                    self.seen.add(urn)
                    return self.state.resources[urn]
        return None

    @staticmethod
    def new_name(wanted: Registration, handler: Handler, inputs: Mapping[str, Any], old: str = "") -> str:
        name = generated_name(wanted.name, handler.name_limit, f"{wanted.urn}\0{old}")
        return handler.physical_name(name, inputs)

    def show(self, wanted: Wanted) -> None:
        registration = wanted.registration
        step = Step(
            wanted.decision.operation, registration.urn, registration.type, registration.name, wanted.decision.changed
        )
        with self._lock:
            self.steps.append(step)
            self.on_step(step)


def _is_hash(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in {"$archive", "$asset", "$secret"}


def _plain_output(value: Any) -> Any:
    """Return a stack output without its secret marks; what is not known yet stays marked as such."""
    return canonical(plain(value))
