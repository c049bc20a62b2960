"""Workflows as state machines: shown, and made of what is registered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestration import asl
from orchestration.catalog import Catalog
from orchestration.executions import ENGINE
from orchestration.flows import Flows
from orchestration.payload import Json
from orchestration.workflow import Workflow


@dataclass(frozen=True)
class Machines:
    """`functions` are the ARNs of the services' functions."""

    flows: Flows
    catalog: Catalog
    functions: Mapping[str, str]

    def show(self, workflow: Workflow) -> dict[str, Json]:
        """Return a workflow's definition in Amazon States Language, and what it costs and gives up."""
        return asl.compile_workflow(workflow, self.functions).to_json()

    def register(self, workflow: Workflow) -> dict[str, Json]:
        """Register a workflow for both engines. Raises Refused, and has then registered nothing."""
        self.flows.admit(workflow.name)
        compiled = asl.compile_workflow(workflow, self.functions)
        # A machine names its version, so that is kept before; what fails on the way is done by a repetition.
        self.catalog.keep(workflow)
        changed = self.flows.put(workflow.name, compiled.text)
        created = self.catalog.register(workflow, flow=True)
        return {
            "name": workflow.name,
            "version": workflow.version,
            "created": created or changed,
            "engine": ENGINE,
            "state_machine_arn": self.flows.machine_arn(workflow.name),
            **compiled.losses(),
        }
