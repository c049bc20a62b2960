# ruff: noqa: INP001 - a program of its own, no module of this package
"""The Lambda runtime for Python functions on this machine: the runtime API, as AWS's own runtime speaks it.

It runs in the function's own interpreter and imports nothing but the standard library. `bootstrap` starts it in the
folder of the function's code; it loads the handler and then serves one invocation after the other.
"""

from __future__ import annotations

import http.client
import importlib
import importlib.util
import json
import logging
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, cast

API = "/2018-06-01/runtime"
# What Lambda itself sets; together with the function's own variables this is all that a function sees.
LAMBDA_VARIABLES = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION",
    "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "AWS_ENDPOINT_URL", "LAMBDA_TASK_ROOT", "_HANDLER",
)  # fmt: skip


class LambdaContext:
    """What AWS passes as the second argument of a handler."""

    def __init__(self, headers: Any) -> None:
        name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.aws_request_id: str = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn: str = headers.get("Lambda-Runtime-Invoked-Function-Arn") or ""
        self.function_name = name
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.client_context = None
        self.identity = None
        self.tenant_id = None
        self._deadline_ms = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self) -> int:
        return max(self._deadline_ms - int(time.time() * 1000), 0)


class RuntimeFailure(Exception):
    """A failure that AWS's runtime reports under a name of its own, such as Runtime.MarshalError."""

    def __init__(self, name: str, message: str, trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.name = name
        self.trace = trace or []


class RuntimeApi:
    """One kept connection to the emulator's side of the runtime API."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address)

    def next(self) -> tuple[Any, bytes]:
        return self._exchange("GET", f"{API}/invocation/next")

    def finish(self, request_id: str, kind: str, body: bytes) -> None:
        self._exchange("POST", f"{API}/invocation/{request_id}/{kind}", body)

    def _exchange(self, method: str, path: str, body: bytes | None = None) -> tuple[Any, bytes]:
        try:
            self._connection.request(method, path, body, {"Content-Type": "application/json"})
            if hasattr(socket, "TCP_QUICKACK"):
                # The server sends headers, then the body; a late acknowledgement would hold that for 40 ms.
                self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            leave(0)  # the emulator is gone, and with it the reason to be here
        if response.status >= 400:
            leave(1)  # this environment has been replaced by another one
        return response.headers, content


def leave(code: int) -> NoReturn:
    sys.stdout.flush()
    os._exit(code)


def clean_environment() -> None:
    """Leave what Lambda sets and what the function declares; hide what belongs to this machine."""
    declared = [name for name in os.environ.pop("ORCHESTRA_LOCAL_VARIABLES", "").split(",") if name]
    runtime = os.environ.pop("ORCHESTRA_LOCAL_RUNTIME", "python")
    temporary = Path(os.environ["TMPDIR"], "functions", os.environ["AWS_LAMBDA_FUNCTION_NAME"])
    temporary.mkdir(parents=True, exist_ok=True)
    kept = {name: os.environ[name] for name in (*LAMBDA_VARIABLES, *declared) if name in os.environ}
    os.environ.clear()
    os.environ.update({
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "HOME": str(temporary),  # Lambda sets none; without one, libraries would read this user's files
        "TMPDIR": str(temporary),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{kept['AWS_LAMBDA_FUNCTION_NAME']}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "POWERTOOLS_TRACE_DISABLED": "true",  # there is no X-Ray daemon here
        **kept,
    })  # fmt: skip
    time.tzset()


def end_with_emulator() -> None:
    """End this process when its parent is gone: a killed emulator leaves no functions running."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def load_handler(name: str) -> Callable[[Any, Any], Any]:
    try:
        module_name, function_name = name.rsplit(".", 1)
    except ValueError:
        raise RuntimeFailure(
            "Runtime.MalformedHandlerName", f"Bad handler '{name}': not enough values to unpack"
        ) from None
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        message = f"Unable to import module '{module_name}': {error}"
        raise RuntimeFailure("Runtime.ImportModuleError", message, trace_of(error)) from error
    except SyntaxError as error:
        message = f"Syntax error in module '{module_name}': {error}"
        raise RuntimeFailure("Runtime.UserCodeSyntaxError", message, trace_of(error)) from error
    handler: Callable[[Any, Any], Any] | None = getattr(module, function_name, None)
    if not callable(handler):
        raise RuntimeFailure("Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'")
    return handler


def trace_of(error: BaseException) -> list[str]:
    return [line for line in traceback.format_tb(error.__traceback__) if __file__ not in line]


def describe(error: BaseException) -> dict[str, Any]:
    """Return the error as AWS reports it: the type's own name, its message, and where it came from."""
    if isinstance(error, RuntimeFailure):
        return {"errorMessage": str(error), "errorType": error.name, "stackTrace": error.trace}
    return {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": trace_of(error)}


def log_failure(report: dict[str, Any]) -> None:
    print(f"[ERROR] {report['errorType']}: {report['errorMessage']}", *report["stackTrace"], sep="\n", end="")


def marshal(result: Any) -> bytes:
    try:
        return json.dumps(result, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise RuntimeFailure("Runtime.MarshalError", f"Unable to marshal response: {error}") from error


def event_source(event: Any) -> str:
    try:
        return str(event["Records"][0]["eventSource"])
    except (KeyError, IndexError, TypeError):
        return ""


def deliver(handler: Callable[[Any, Any], Any], body: bytes, context: LambdaContext) -> bytes:
    """Return the response to one event. Raises what the handler raises."""
    event = json.loads(body)
    source = event_source(event)
    if os.environ.get("ORCHESTRA_LOCAL_DELIVER_TWICE") == "1" and source in ("aws:sqs", "aws:dynamodb"):
        try:
            handler(json.loads(body), context)
        except Exception as error:  # noqa: BLE001 - the first of the two deliveries is lost, whatever came of it
            print(f"ORCHESTRA_LOCAL_DELIVER_TWICE: the first delivery failed: {error!r}")
    result = handler(event, context)
    if source == "aws:dynamodb" and isinstance(result, dict) and result.get("batchItemFailures"):
        # The emulator ignores them for streams and would lose the records; after an error it sends the batch again.
        failed = [item.get("itemIdentifier") for item in result["batchItemFailures"]]
        raise RuntimeFailure("BatchItemFailures", f"records failed and the batch will be sent again: {failed}")
    return marshal(result)


def initialise(name: str) -> tuple[Callable[[Any, Any], Any], bool]:
    """Return the handler, or in its place what fails each invocation with the error of loading it."""
    try:
        return load_handler(name), True
    except Exception as error:  # noqa: BLE001 - the function's own code runs here
        failure = error

    def failed(_event: Any, _context: Any) -> NoReturn:
        raise failure

    return failed, False


def disturbed(handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return the handler with faults, as `python_faults.py` says; that is loaded by its place, for it is in no path."""
    spec = importlib.util.spec_from_file_location("python_faults", Path(__file__).with_name("python_faults.py"))
    assert spec
    assert spec.loader
    faults = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(faults)
    return cast(Callable[[Any, Any], Any], faults.disturb(handler))


def serve(api: RuntimeApi) -> NoReturn:
    handler, initialised = initialise(os.environ["_HANDLER"])
    if "ORCHESTRA_LOCAL_FAULTS" in os.environ:
        handler = disturbed(handler)
    while True:
        headers, body = api.next()
        context = LambdaContext(headers)
        os.environ["_X_AMZN_TRACE_ID"] = headers.get("Lambda-Runtime-Trace-Id") or ""
        try:
            answer = deliver(handler, body, context)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the function's result
            report = {**describe(error), "requestId": context.aws_request_id}
            log_failure(report)
            end_of_log()
            api.finish(context.aws_request_id, "error", json.dumps(report).encode())
            if not initialised:
                leave(1)  # the next invocation begins with a fresh environment, as on AWS
        else:
            end_of_log()
            api.finish(context.aws_request_id, "response", answer)


def end_of_log() -> None:
    """The emulator waits 50 ms for a first line of log after each invocation, but not once it has one."""
    print(flush=True)


def set_up_logging() -> None:
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    logging.Formatter.converter = time.gmtime
    layout = logging.Formatter("[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(message)s", "%Y-%m-%dT%H:%M:%S")
    output = logging.StreamHandler(sys.stdout)
    output.setFormatter(layout)
    logging.getLogger().addHandler(output)


if __name__ == "__main__":
    clean_environment()
    end_with_emulator()
    set_up_logging()
    # -I leaves out the folder of the script; the function's code comes first, as it does on AWS.
    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    serve(RuntimeApi(os.environ["AWS_LAMBDA_RUNTIME_API"]))
