"""The fixtures of the engine's own tests: moto, the table, and both functions as they are deployed."""

from __future__ import annotations

from tests.orchestration.conftest import aws_account, client, dynamodb, images, system

__all__ = ["aws_account", "client", "dynamodb", "images", "system"]
