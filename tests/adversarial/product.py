"""The product in one process, from its command line to its table; what is sent to it, and all that it leaves behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from typer.testing import CliRunner, Result

from cli.client import Client
from cli.main import app
from cli.ports import Ports
from orchestration.errors import Refused
from orchestration.payload import Json
from tests.cli.fake import FakeClock
from tests.support import shapes
from tests.support.letters import MemoryDeadLetters
from tests.support.memory import FakeServices
from tests.support.served import served
from tests.support.world import World

SERVICES = frozenset({"a", "b", "b1", "b2", "b3", "c"})


@dataclass
class Product:
    """An Orchestrator that serves the reference workflow, in a world of its own."""

    world: World = field(default_factory=World)
    letters: MemoryDeadLetters = field(default_factory=MemoryDeadLetters)
    requests: list[Json] = field(default_factory=list)  # what the command line has sent

    def answer(self, request: Json) -> dict[str, Json]:
        """Return what a fresh process answers: a refusal is an answer too."""
        try:
            return served(self.world, SERVICES, [shapes.diamond()], self.letters).answer(request)
        except Refused as refused:
            return {"error": {"code": refused.code, "message": str(refused)}}

    def ask(self, **request: Json) -> dict[str, Any]:
        answer = self.answer(request)
        assert answer.keys() != {"error"}, answer["error"]
        return answer

    def refusal(self, request: Json) -> str:
        """Return the one line with which a request is refused, having checked that it left no trace."""
        before = self.trace()
        answer = self.answer(request)
        assert answer.keys() == {"error"}
        line = str(answer["error"]["message"])
        assert line.isprintable()
        assert len(line) < 600
        assert self.trace() == before
        return line

    def trace(self) -> list[object]:
        """Return all that could have been written, sent or invoked."""
        world = self.world
        tables = [dict(world.store.records), dict(world.store.inputs), dict(world.definitions.versions)]
        return [
            *tables,
            dict(world.definitions.registered),
            list(world.queue.messages),
            list(world.services.calls),
            self.letters.ids(),
        ]

    def orchestra(self, *arguments: str, stdin: bytes | None = None) -> Result:
        """Run the command with this Orchestrator as the deployment."""
        ports = Ports(connect=lambda _: Client(self._received), clock=FakeClock().port(), token=lambda: "x7k2q9")
        return CliRunner().invoke(
            app, list(arguments), input=stdin, env={"COLUMNS": "200"}, obj=ports, catch_exceptions=False
        )

    def _received(self, request: Json) -> Json:
        self.requests.append(request)
        return through_json(self.answer(through_json(request)))


def through_json(value: Json) -> Json:
    """Return a value as it arrives: Lambda carries requests and answers as JSON."""
    return json.loads(json.dumps(value))


def settled(
    workflow: str = "abc", run_input: Json = None, task: Callable[[Mapping[str, Json]], Json] = lambda event: None
) -> Product:
    """Return the product with a run, `r`, that has ended."""
    product = Product(World(services=FakeServices(task)))
    product.ask(action="start", workflow=workflow, run_id="r", input=run_input)
    product.world.settle()
    return product
