"""The commands of the local target on one stack, put together from program, plan, emulator and state."""

from __future__ import annotations

import time

from local import program, server
from local.aws import Aws
from local.deployer import Deployer
from local.engine import Engine
from local.errors import LocalError, Unsupported
from local.paths import Project
from local.planner import Planner
from local.results import Deployment, Event, OnEvent, Result, deployment_of, ignore
from local.server import Emulator
from local.state import Phase, State, StateStore


class Operation:
    """One command. Those that change the stack hold its lock meanwhile; see `deployment`."""

    def __init__(self, where: Project, on_event: OnEvent = ignore) -> None:
        self._where = where
        self._on_event = on_event
        self._began = time.monotonic()
        self._folder = where.state_dir

    def preview(self) -> Result:
        settings = program.load_settings(self._where)
        emulator = server.running(self._folder)
        if emulator is None and server.kept(self._folder) is not None:
            raise LocalError(f"stack {self._where.stack!r} has stopped: `orchestra local up` starts it again")
        state = self._store(emulator).load() if emulator else State()
        return self._result(self._plan(settings, state, self._on_event))

    def deploy(self, port: int | None = None) -> Result:
        settings = program.load_settings(self._where)
        known = server.running(self._folder) or server.kept(self._folder)
        if known is None:
            return self._deploy_first(settings, port)
        self._check_place(known, settings, port)
        emulator = server.running(self._folder)
        if emulator is None:
            self._on_event(Event("Starting the emulator, with what it held"))
            emulator = server.start(self._folder, known.region)
        server.await_ready(self._folder, emulator)  # a command that was killed may have left it starting
        state = self._store(emulator).load()
        planner = self._plan(settings, state, ignore)
        if state.phase is Phase.COMPLETE and planner.changes_nothing:
            return self._unchanged(planner, emulator, state)
        return self._apply(settings, emulator, state)

    def reset(self) -> Result:
        self._plan(program.load_settings(self._where), State(), ignore)
        known = server.running(self._folder) or server.kept(self._folder)
        server.remove(self._folder)
        return self.deploy(known.port if known else None)

    def _deploy_first(self, settings: program.Settings, port: int | None) -> Result:
        """Start the emulator while the plan is made; stop it again if nothing came to stand in it."""
        self._on_event(Event("Starting the emulator"))
        emulator = server.start(self._folder, settings.region, port)
        state = State()
        try:
            self._plan(settings, state, ignore)
            server.await_ready(self._folder, emulator)
            return self._apply(settings, emulator, state)
        except BaseException:
            if not state.resources:
                server.remove(self._folder)
            raise

    def _apply(self, settings: program.Settings, emulator: Emulator, state: State) -> Result:
        self._on_event(Event("Deploying"))
        deployer = Deployer(
            state=state,
            region=settings.region,
            on_step=lambda step: self._on_event(Event(step=step)),
            emulator_aws=Aws(emulator),
            store=self._store(emulator),
            resuming=state.phase is Phase.DEPLOYING,
        )
        deployer.begin()
        program.run(self._where, settings, deployer, dry_run=False)
        deployer.finish()
        server.checkpoint(emulator)
        return self._result(deployer, deployment_of(self._where, emulator, state))

    def _unchanged(self, planner: Planner, emulator: Emulator, state: State) -> Result:
        if planner.outputs != state.outputs:
            state.outputs = planner.outputs
            self._store(emulator).save(state.to_json())
        return self._result(planner, deployment_of(self._where, emulator, state))

    def _plan(self, settings: program.Settings, state: State, on_event: OnEvent) -> Planner:
        """Return the plan. Raises Unsupported with everything that the local target lacks."""
        planner = Planner(state=state, region=settings.region, on_step=lambda step: on_event(Event(step=step)))
        try:
            program.run(self._where, settings, planner, dry_run=True)
        except LocalError as error:
            if planner.unsupported:  # the program may well have failed because of them
                raise _unsupported(planner) from error
            raise
        if planner.unsupported:
            raise _unsupported(planner)
        planner.finish()
        return planner

    def _check_place(self, emulator: Emulator, settings: program.Settings, port: int | None) -> None:
        stack = self._where.stack
        if port not in {None, emulator.port}:
            raise LocalError(f"the emulator of stack {stack!r} is on port {emulator.port}: `down` it to move it")
        if emulator.region != settings.region:
            raise LocalError(f"stack {stack!r} stands in {emulator.region}: `down` it to move it to {settings.region}")

    def _store(self, emulator: Emulator) -> StateStore:
        return StateStore(emulator, self._where.stack)

    def _result(self, engine: Engine, deployment: Deployment | None = None) -> Result:
        return Result(
            stack=self._where.stack,
            steps=tuple(engine.steps),
            outputs={name: item["value"] for name, item in engine.outputs.items()},
            secrets=frozenset(name for name, item in engine.outputs.items() if item["secret"]),
            duration_s=time.monotonic() - self._began,
            deployment=deployment,
        )


def _unsupported(planner: Planner) -> Unsupported:
    wants = "; ".join(sorted(set(planner.unsupported)))
    return Unsupported(f"nothing was created, because the local target does not support all of the program: {wants}")
