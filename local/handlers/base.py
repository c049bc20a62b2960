"""What it takes to support a type of resource: one small class."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from local.aws import Aws
from local.images import Images
from local.pulumi_runtime import Registered

Inputs = Mapping[str, Any]
Outputs = dict[str, Any]


@dataclass(frozen=True)
class Scope:
    """What a handler works with: the emulator as the resource's region sees it, and the images built in this run."""

    aws: Aws
    images: Images


class Handler:
    """Creates, updates and deletes resources of one type. It holds no state and may be called from many threads.

    Inputs have Pulumi's names (camelCase) and are plain values. Outputs are what the emulator adds to them.
    """

    type: ClassVar[str]
    # The property that gets a generated name when the program leaves it out; None if the type has no such name.
    name_property: ClassVar[str | None] = "name"
    name_limit: ClassVar[int] = 64
    # Properties whose change needs a new resource; "*" is any of them.
    replacing: ClassVar[Collection[str]] = ("name",)

    def fingerprint(self, images: Images, inputs: Inputs) -> Mapping[str, Any]:  # noqa: ARG002 - for those that need it
        """Return what else, beside its inputs, the resource is made from here; a change of it is an update."""
        return {}

    def physical_name(self, generated: str, inputs: Inputs) -> str:  # noqa: ARG002
        return generated

    def unrecorded(self, scope: Scope, inputs: Inputs) -> Iterable[Registered]:  # noqa: ARG002
        """Return what a `create` that was cut short may have left; it is deleted before the resource is made."""
        return [Registered(inputs[self.name_property], {})] if self.name_property else []

    def create(self, scope: Scope, inputs: Inputs) -> Registered:
        raise NotImplementedError

    def keep(self, scope: Scope, current: Registered, inputs: Inputs) -> None:
        """Do what an unchanged resource needs in each run."""

    def update(self, scope: Scope, current: Registered, inputs: Inputs, changed: Collection[str]) -> Outputs:
        """Bring the resource to `inputs`, of which `changed` differ, and return its outputs."""
        raise NotImplementedError

    def delete(self, scope: Scope, current: Registered) -> None:
        """Delete the resource; the caller takes it for deleted if AWS says that it does not exist."""
        raise NotImplementedError


def pick(inputs: Inputs, names: Mapping[str, str]) -> dict[str, Any]:
    """Return the given inputs that are set, under AWS's names."""
    return {aws: inputs[name] for name, aws in names.items() if inputs.get(name) is not None}


def tag_list(inputs: Inputs) -> dict[str, Any]:
    tags = inputs.get("tags") or {}
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]} if tags else {}
