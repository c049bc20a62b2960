"""All that the local target uses of Pulumi's SDK beyond its public interface, in one place.

`tests/local/test_pulumi_runtime.py` is the contract test: it fails if an SDK of another version works differently.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pulumi
import pulumi.runtime
from google.protobuf import empty_pb2, struct_pb2
from pulumi.output import Unknown
from pulumi.runtime import mocks, rpc, settings
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.stack import run_in_stack
from pulumi.runtime.sync_await import _ensure_event_loop

STACK_TYPE = "pulumi:pulumi:Stack"

_NOT_DONE_HERE = frozenset({
    resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ERROR_HOOKS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_TRANSFORMS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_INVOKE_TRANSFORMS,
})  # fmt: skip


@dataclass(frozen=True)
class Registration:
    """A resource as the program asks for it. `inputs` may hold secret wrappers and unknown values."""

    urn: str
    type: str
    name: str
    parent: str
    custom: bool
    inputs: dict[str, Any]
    dependencies: tuple[str, ...]
    provider: str
    protect: bool
    retain: bool
    delete_before_replace: bool
    ignore_changes: tuple[str, ...]
    replace_on_changes: tuple[str, ...]
    aliases: tuple[str, ...]
    import_id: str


@dataclass(frozen=True)
class Registered:
    """What a resource has become. While planning, an output that is left out is unknown to the program."""

    id: str
    outputs: Mapping[str, Any]


class Backend(Protocol):
    """Answers for what the program asks of its engine; it is called from many threads."""

    def register(self, wanted: Registration) -> Registered: ...
    def look_up(self, token: str, arguments: dict[str, Any], parent: str) -> Mapping[str, Any]: ...
    def read(self, type_: str, name: str, parent: str) -> Registered: ...
    def export(self, outputs: dict[str, Any]) -> None: ...
    def stop(self) -> None: ...


def is_secret(value: Any) -> bool:
    return bool(rpc.is_rpc_secret(value))


def unwrap_secret(value: Any) -> Any:
    return rpc.unwrap_rpc_secret(value)


def is_unknown(value: Any) -> bool:
    return isinstance(value, Unknown) or (isinstance(value, str) and value == rpc.UNKNOWN)


def secret(value: Any) -> dict[str, Any]:
    return {rpc._special_sig_key: rpc._special_secret_sig, "value": value}  # noqa: SLF001 - see the module's docstring


class Monitor(mocks.MockMonitor):
    """Speaks the resource monitor's protocol with the SDK in this process, and asks the backend."""

    def __init__(self, backend: Backend) -> None:
        super().__init__(mocks=None)  # type: ignore[arg-type]  # every method that uses them is overridden
        self._backend = backend
        self._stack_urn = ""

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """Return the URN as Pulumi's engine makes it: with the types of all parents but the stack."""
        if parent and parent != self._stack_urn:
            type_ = f"{parent.split('::')[2]}${type_}"
        return f"urn:pulumi:{settings.get_stack()}::{settings.get_project()}::{type_}::{name}"

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == STACK_TYPE:
            self._stack_urn = urn
            return resource_pb2.RegisterResourceResponse(urn=urn)
        done = self._backend.register(_registration(urn, request))
        properties = struct_pb2.Struct()
        properties.CopyFrom(request.object)  # the program's own inputs, with their secrets still marked
        properties.update(dict(done.outputs))
        return resource_pb2.RegisterResourceResponse(urn=urn, id=done.id, object=properties)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        if request.urn == self._stack_urn:
            self._backend.export(_properties(request.outputs))
        return empty_pb2.Empty()

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        answer = struct_pb2.Struct()
        answer.update(dict(self._backend.look_up(request.tok, _properties(request.args), request.parent)))
        fields: dict[str, Any] = {"return": answer}  # a keyword of Python
        return resource_pb2.ResourceInvokeResponse(**fields)

    def ReadResource(self, request: Any) -> Any:  # noqa: N802
        found = self._backend.read(request.type, request.name, request.parent)
        properties = struct_pb2.Struct()
        properties.update(dict(found.outputs))
        urn = self.make_urn(request.parent, request.type, request.name)
        return resource_pb2.ReadResourceResponse(urn=urn, properties=properties)

    def GetDeploymentInfo(self, request: Any) -> Any:  # noqa: N802
        """Say what this monitor can do. Aliases are resolved by the SDK; transforms and hooks are refused by it."""
        offered = super().GetDeploymentInfo(request).supportedFeatures  # type: ignore[no-untyped-call]
        return resource_pb2.DeploymentInfo(supportedFeatures=[one for one in offered if one not in _NOT_DONE_HERE])


def _properties(message: Any) -> dict[str, Any]:
    _ensure_event_loop()  # type: ignore[no-untyped-call]  # resource references are deserialized through one
    values: dict[str, Any] = rpc.deserialize_properties(message, keep_unknowns=True)
    return values


def _registration(urn: str, request: Any) -> Registration:
    dependencies = set(request.dependencies)
    for group in request.propertyDependencies.values():
        dependencies |= set(group.urns)
    return Registration(
        urn=urn,
        type=request.type,
        name=request.name,
        parent=request.parent,
        custom=request.custom,
        inputs=_properties(request.object) if request.custom else {},
        dependencies=tuple(sorted(dependencies)),
        provider=request.provider,
        protect=request.protect,
        retain=request.retainOnDelete,
        delete_before_replace=request.deleteBeforeReplace,
        ignore_changes=tuple(request.ignoreChanges),
        replace_on_changes=tuple(request.replaceOnChanges),
        aliases=tuple(request.aliasURNs),
        import_id=request.importId,
    )


@dataclass(frozen=True)
class Run:
    """One evaluation of a program."""

    project: str
    stack: str
    root: Path
    config: Mapping[str, str]
    dry_run: bool
    log: logging.Logger


def evaluate(run: Run, backend: Backend, program: Callable[[], None]) -> None:
    """Run the program; return when every resource and output is settled. Raises what the program or backend raised.

    Calls of the backend that were under way when something failed have ended when this returns.
    """
    contextvars.copy_context().run(_evaluate, run, backend, program)


def _evaluate(run: Run, backend: Backend, program: Callable[[], None]) -> None:
    # One failed resource would otherwise print thousands of lines about tasks that were never awaited.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _loop, _context: None)
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(_session(run, backend, program))
    except BaseException:
        backend.stop()  # before the calls that wait for a thread get one
        raise
    finally:
        _settle(loop)
        asyncio.set_event_loop(None)
        settings.reset_options()


async def _session(run: Run, backend: Backend, program: Callable[[], None]) -> None:
    monitor = Monitor(backend)
    settings.configure(
        mocks.MockSettings(  # type: ignore[no-untyped-call]
            monitor=monitor,
            monitor_features=set(),  # the SDK asks the monitor
            engine=mocks.MockEngine(run.log),
            project=run.project,
            stack=run.stack,
            dry_run=run.dry_run,
            organization="local",
            callbacks=None,
            root_directory=str(run.root),
        )
    )
    settings.set_root_resource(None)  # type: ignore[arg-type]
    pulumi.runtime.set_all_config(dict(run.config), [])

    def entry() -> None:
        program()

    await run_in_stack(entry)


def _settle(loop: asyncio.AbstractEventLoop) -> None:
    pending = asyncio.all_tasks(loop)
    for task in pending:
        task.cancel()
    if pending:
        loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
