"""Which errors another try can mend, and the line that tells an error."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError, ReadTimeoutError

from orchestration import codec, failures
from orchestration.errors import IllegalTransition, InvalidRequest, OrchestraError, Retryable


def client_error(code: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "UpdateItem")


@pytest.mark.parametrize(
    "error",
    [
        client_error("ThrottlingException"),
        client_error("ProvisionedThroughputExceededException"),
        client_error("InternalServerError"),
        client_error("AccessDeniedException"),  # until somebody gives the right back
        EndpointConnectionError(endpoint_url="https://x"),
        ReadTimeoutError(endpoint_url="https://x"),
        Retryable("the queue refused 1 messages"),
        OSError("reset"),
        ConnectionResetError(),
        MemoryError(),
    ],
)
def test_what_another_try_can_mend(error: Exception) -> None:
    assert failures.is_mendable(error)


@pytest.mark.parametrize(
    "error",
    [
        client_error("ValidationException"),
        client_error("SerializationException"),
        ParamValidationError(report="x"),
        OrchestraError("schema 9 is newer"),
        IllegalTransition("a bug"),
        InvalidRequest("message: is none"),
        KeyError("x"),
        AssertionError(),
        RecursionError(),
    ],
)
def test_what_no_other_try_can_mend(error: Exception) -> None:
    assert not failures.is_mendable(error)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OrchestraError("schema 9 is newer"), "OrchestraError: schema 9 is newer"),
        (
            client_error("AccessDeniedException", "not you"),
            "ClientError: An error occurred (AccessDeniedException) when calling the UpdateItem operation: not you",
        ),
        (KeyError("CANARY"), "KeyError at an unknown place"),
        (ParamValidationError(report="CANARY"), "ParamValidationError at an unknown place"),
        (OrchestraError("two\nlines\x00\ud800\x1b[31m"), "OrchestraError: two lines   [31m"),
        (OrchestraError("x" * 1_000), f"OrchestraError: {'x' * 281}..."),
    ],
)
def test_a_reason_is_one_line_of_bounded_length(error: Exception, line: str) -> None:
    assert failures.reason(error) == line
    assert len(line) <= failures.MAX_REASON_CHARS


def test_the_place_of_an_error_is_the_innermost_of_the_engine_s_own() -> None:
    """Here the library that reads the number is further in."""
    with pytest.raises(ValueError, match="CANARY") as error:
        codec.decode_registration({"name": {"S": "w"}, "version": {"S": "v"}, "tasks": {"N": "CANARY"}})
    line = failures.reason(error.value)
    assert line.startswith("ValueError at codec.py:")
    assert line.endswith(" decode_registration")
    assert failures.trace(error.value)[-1] == line.removeprefix("ValueError at ")
