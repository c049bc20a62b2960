# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201 - deployed as it is, not part of the suite
import os
import sys


class QuotaExceeded(Exception):
    pass


def handler(event, _context):
    if event.get("do") == "fail":
        raise QuotaExceeded(event["message"])
    return {"prefix": sys.prefix, "flavour": os.environ["FLAVOUR"], "boto3": __import__("boto3").__version__}
