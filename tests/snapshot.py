"""Run a Pulumi program against a recording monitor, and return what it registered as plain data.

Assertions then run after every registration has finished, on ordinary dicts, so that none can be skipped: an assertion
inside `.apply` may never run, and a comparison with an Output is always true.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from google.protobuf import empty_pb2
from pulumi.runtime import mocks, rpc, settings
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.stack import run_in_stack
from pulumi.runtime.sync_await import _ensure_event_loop, _sync_await

from tests import fake_aws

PROJECT, STACK = "orchestra", "test"


@dataclass(frozen=True)
class Secret:
    """A value that Pulumi would encrypt."""

    value: Any


@dataclass(frozen=True)
class Archived:
    """An archive: the file, or the text, at each path in it."""

    files: Mapping[str, str]
    texts: Mapping[str, str]


@dataclass(frozen=True)
class Registered:
    """One resource as the engine would have seen it. Keys of `inputs` are camelCase."""

    typ: str
    name: str
    urn: str
    parent: str  # a URN
    custom: bool  # false for a component
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any] | None  # what register_outputs gave; None if it was never called
    protect: bool
    dependencies: frozenset[str]  # URNs, both those that are named and those that inputs come from


@dataclass(frozen=True)
class Snapshot:
    """What a program registered, in order of URN, and what it exported."""

    stack_urn: str
    resources: tuple[Registered, ...]
    exports: Mapping[str, Any]

    def one(self, typ: str, name: str | None = None) -> Registered:
        """Return the single match, or fail: a resource that is missing can never be skipped over."""
        found = self.all(typ, name)
        assert len(found) == 1, f"expected one {typ} {name or ''}, found {[r.name for r in found]}"
        return found[0]

    def all(self, typ: str, name: str | None = None) -> list[Registered]:
        return [r for r in self.resources if r.typ == typ and name in (None, r.name)]


def snapshot(program: Callable[[], object], config: Mapping[str, str] | None = None) -> Snapshot:
    """Run `program` until nothing is left to do. `config` has the project's keys, without its name.

    Raises whatever the program, or a function given to `.apply`, raised. Raises AssertionError for a program that
    registers nothing, or one URN twice, or an Output formatted as a string, or what the fake AWS does not model.
    """
    return contextvars.copy_context().run(_snapshot, program, dict(config or {}))


def _snapshot(program: Callable[[], object], config: dict[str, str]) -> Snapshot:
    monitor = _Recorder()
    _in_own_loop(lambda: _run(monitor, program, config))
    assert monitor.requests, "the program registered no resources"
    resources = tuple(monitor.registered(urn) for urn in sorted(monitor.requests))
    for where, value in [*((r.urn, r.inputs) for r in resources), ("the exports", monitor.outputs)]:
        assert "Calling __str__ on an Output" not in repr(value), f"an Output formatted as a string: {where}"
    return Snapshot(monitor.stack_urn, resources, monitor.outputs.get(monitor.stack_urn, {}))


async def _run(monitor: _Recorder, program: Callable[[], object], config: dict[str, str]) -> None:
    settings.configure(
        mocks.MockSettings(
            monitor=monitor,
            monitor_features=set(monitor.GetDeploymentInfo(None).supportedFeatures),  # type: ignore[no-untyped-call]
            engine=mocks.MockEngine(None),
            project=PROJECT,
            stack=STACK,
            dry_run=False,  # a preview skips what depends on unknown values
            organization="test",
            callbacks=None,
            root_directory=".",
            outputs=set(),  # the stock settings share one set between runs: a failed run's work would stay in it
            lock=threading.Lock(),
        )
    )
    settings.set_root_resource(None)  # type: ignore[arg-type]
    pulumi.runtime.set_all_config({f"{PROJECT}:{key}": value for key, value in config.items()})

    def body() -> None:
        program()

    await run_in_stack(body)


def _in_own_loop(run: Callable[[], Awaitable[None]]) -> None:
    """Run in an event loop of its own, so that no work leaks into the next test."""
    loop = asyncio.new_event_loop()
    # A failed program leaves thousands of failed futures. Whichever came first is raised; without this each of the
    # others prints itself when it is collected, which may be in the middle of another test.
    loop.set_exception_handler(lambda _loop, _context: None)
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(run())
    finally:
        leftovers = asyncio.all_tasks(loop)
        for task in leftovers:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*leftovers, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_default_executor())
        asyncio.set_event_loop(None)
        loop.close()


class _Recorder(mocks.MockMonitor):
    """Keeps what the stock monitor drops: parents, options, component and stack outputs, and duplicates."""

    def __init__(self) -> None:
        super().__init__(mocks=mocks.Mocks)  # type: ignore[arg-type]  # never asked: this monitor answers itself
        self.requests: dict[str, Any] = {}
        self.outputs: dict[str, Mapping[str, Any]] = {}
        self.stack_urn = ""

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """Return the URN that the engine would: all the parents' types, but for the stack's."""
        if parent and parent != self.stack_urn:
            type_ = f"{parent.split('::')[2]}${type_}"
        return f"urn:pulumi:{STACK}::{PROJECT}::{type_}::{name}"

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == "pulumi:pulumi:Stack":
            self.stack_urn = urn
            return resource_pb2.RegisterResourceResponse(urn=urn)
        _ensure_event_loop()  # type: ignore[no-untyped-call]
        assert urn not in self.requests, f"registered twice: {urn}"
        self.requests[urn] = request
        if not request.custom:
            return resource_pb2.RegisterResourceResponse(urn=urn, object=request.object)
        id_, state = fake_aws.create(request.type, request.name, rpc.deserialize_properties(request.object))
        self.resources[urn] = self.ResourceRegistration(urn, id_, state)
        return resource_pb2.RegisterResourceResponse(urn=urn, id=id_, object=_serialized(state))

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        _ensure_event_loop()  # type: ignore[no-untyped-call]
        self.outputs[request.urn] = _plain(rpc.deserialize_properties(request.outputs))
        return empty_pb2.Empty()

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        _ensure_event_loop()  # type: ignore[no-untyped-call]
        return resource_pb2.ResourceInvokeResponse(**{"return": _serialized(fake_aws.invoke(request.tok))})

    def registered(self, urn: str) -> Registered:
        request = self.requests[urn]
        return Registered(
            typ=request.type,
            name=request.name,
            urn=urn,
            parent=request.parent,
            custom=request.custom,
            inputs=_plain(rpc.deserialize_properties(request.object)),
            outputs=self.outputs.get(urn),
            protect=request.protect,
            dependencies=frozenset(request.dependencies),
        )


def _serialized(properties: dict[str, Any]) -> Any:
    return _sync_await(rpc.serialize_properties(properties, {}))


def _plain(value: Any) -> Any:
    """Return the value without its wire format: whole numbers as integers, archives as what is in them."""
    if rpc.is_rpc_secret(value):
        return Secret(_plain(rpc.unwrap_rpc_secret(value)))
    match value:
        case Mapping():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case float() if value.is_integer():
            return int(value)
        case pulumi.AssetArchive():
            assets = value.assets.items()
            return Archived(
                files={path: a.path for path, a in assets if isinstance(a, pulumi.FileAsset)},
                texts={path: a.text for path, a in assets if isinstance(a, pulumi.StringAsset)},
            )
        case _:
            return value
