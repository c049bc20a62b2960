# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201 - deployed as it is, not part of the suite
"""A function that does what its event says."""

import os
import sys
import time


class QuotaExceeded(Exception):
    pass


def handler(event, context):
    return ACTIONS[event["do"]](event, context)


def fail(event, _context):
    raise QuotaExceeded(event["message"])


def look(_event, context):
    return {
        "environment": dict(os.environ),
        "path": sys.path,
        "context": {name: getattr(context, name) for name in CONTEXT},
        "remaining_ms": context.get_remaining_time_in_millis(),
        "pid": os.getpid(),
    }


def say(event, _context):
    print(event["message"])


CONTEXT = (
    "aws_request_id", "function_name", "invoked_function_arn", "log_group_name", "memory_limit_in_mb",
)  # fmt: skip
ACTIONS = {
    "echo": lambda event, _context: event,
    "fail": fail,
    "look": look,
    "say": say,
    "sleep": lambda event, _context: time.sleep(event["seconds"]),
    "nan": lambda _event, _context: float("nan"),
    "set": lambda _event, _context: {1},
    "exit": lambda _event, _context: sys.exit(3),
    "boto3": lambda _event, _context: __import__("boto3").__version__,
    "undeclared": lambda _event, _context: __import__("pulumi").__file__,
}
