"""The workflows that the program declares, checked before anything is created. Pure."""

from collections.abc import Collection
from typing import Any

from components.errors import ProgramError
from orchestration.errors import WorkflowError
from orchestration.workflow import Workflow


def read_workflow(definition: dict[str, Any], services: Collection[str]) -> Workflow:
    """Return the workflow of a definition. Raises ProgramError if it breaks a rule, or needs what is not deployed."""
    try:
        workflow = Workflow.from_json(definition)
    except WorkflowError as exc:
        raise ProgramError(f"workflow {definition.get('name')!r}: {exc}") from None
    for task_id, task in workflow.tasks.items():
        if task.service not in services:
            deployed = ", ".join(sorted(services))
            raise ProgramError(
                f"workflow {workflow.name!r}: task {task_id} names the service {task.service!r}, which is not"
                f" deployed; the services are {deployed}"
            )
    return workflow
