"""How resources are named to a user, and errors tied to the resource that they are about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from botocore.exceptions import BotoCoreError, ClientError

from local.errors import LocalError
from local.plan import short_type


class Stopped(LocalError):
    """Another resource failed, or the user interrupted; this one was not started."""


class Resource(Protocol):
    """What a resource is known by: a registration and a record both have it."""

    @property
    def type(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def parent(self) -> str: ...
    @property
    def protect(self) -> bool: ...


def described(type_: str, name: str, parent: str) -> str:
    """Return for example `aws:sqs:Queue 'worker' of WorkerPool 'worker'`."""
    return f"{short_type(type_)} {name!r}{in_component(parent)}"


def in_component(parent: str) -> str:
    if not parent or parent.split("::")[2].endswith("pulumi:pulumi:Stack"):
        return ""
    kind = parent.split("::")[2].rpartition("$")[2].rpartition(":")[2]
    return f" of {kind} {parent.split('::')[3]!r}"


def short_token(token: str) -> str:
    """Return a look-up as it is written in Python: `aws:ecr/getImage:getImage` is `aws.ecr.getImage`."""
    package, module, name = token.split(":", 2)
    return f"{package}.{module.split('/', maxsplit=1)[0]}.{name}".replace(".index.", ".")


@contextmanager
def naming(resource: Resource) -> Iterator[None]:
    """Turn what goes wrong inside into a LocalError that says which resource it is about."""
    what = described(resource.type, resource.name, resource.parent)
    try:
        yield
    except Stopped:
        raise
    except ClientError as error:
        answer = error.response["Error"]
        raise LocalError(f"{what}: {error.operation_name}: {answer['Code']}: {answer['Message']}") from error
    except (BotoCoreError, LocalError) as error:
        raise LocalError(f"{what}: {' '.join(str(error).split())}") from error
    except KeyError as error:
        raise LocalError(f"{what}: the property {error.args[0]!r} is missing") from error


def refuse_protected(resource: Resource, fate: str) -> None:
    """Raise if the resource is protected; `fate` is what would have become of it."""
    if resource.protect:
        what = described(resource.type, resource.name, resource.parent)
        raise LocalError(f"{what} is protected and would be {fate}: take away its `protect` first")
