"""What a function is told by its environment, checked once when it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestration import payload
from orchestration.errors import OrchestraError


@dataclass(frozen=True)
class Settings:
    table: str
    queue_url: str
    functions: Mapping[str, str]  # the Lambda function of each service

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """Return the settings. Raises OrchestraError, naming the variable, if one is missing or malformed."""
        functions = payload.parse(_required(environment, "SERVICES"), what="SERVICES")
        if not isinstance(functions, dict) or not all(isinstance(name, str) for name in functions.values()):
            raise OrchestraError("SERVICES: must be a JSON object of function names by service")
        return cls(_required(environment, "TABLE_NAME"), _required(environment, "QUEUE_URL"), functions)


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    if not value:
        raise OrchestraError(f"{name}: this environment variable is not set")
    return value
