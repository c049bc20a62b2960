# ruff: noqa: INP001, SLF001 - part of the emulator's program; ministack has no interface for what is inside it
"""Step Functions as the emulator serves it: ministack's API and storage, and executions that are our own.

What ministack has and is not named here stays as it is. Sources: docs.aws.amazon.com/step-functions/latest/apireference
and the recordings of AWS in LocalStack's test_sfn_api.snapshot.json and test_sfn_api_express.snapshot.json.

An execution that ran when the emulator ended goes on when it has started again: the attempts that were under way have
failed with Runtime.ExitError, like any whose process has ended, and the retriers of their states decide. An execution
of an Express machine is gone.
"""

from __future__ import annotations

import contextvars
import copy
import json
import re
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from ministack.core.responses import (
    error_response_json,
    get_account_id,
    get_region,
    json_response,
    new_uuid,
    now_iso,
    set_request_account_id,
    set_request_region,
)
from ministack.services import stepfunctions as service

from local.bootstrap import executions, state_history
from local.bootstrap.executions import Record
from local.bootstrap.state_branches import afresh
from local.bootstrap.state_history import History
from local.bootstrap.state_values import LIMIT_BYTES, Json, compact

Response: TypeAlias = tuple[int, dict[str, str], bytes]
Handler: TypeAlias = Callable[[Record], Response]
Serve: TypeAlias = Callable[[str, str, Record, bytes, Record], Awaitable[Response]]

REDRIVABLE = {"FAILED", "ABORTED", "TIMED_OUT"}
EXPRESS_LIMIT_S = 300
_INCLUDED = {"included": True}
_NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}")


class Refused(Exception):
    """A request is answered with this error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def install(changed: threading.Event) -> None:
    """Put the interpreter in the place of ministack's. `changed` is set with everything that happens."""
    api: dict[str, Callable[[Record], Json]] = {
        "_start_execution": _start,
        "_start_sync_execution": _start_sync,
        "_stop_execution": _stop,
        "_describe_execution": _describe,
        "_describe_state_machine_for_execution": _describe_machine,
    }
    for name, answer in api.items():
        setattr(service, name, _answering(answer))
    service._create_state_machine = _with_tracing(service._create_state_machine)
    service._update_state_machine = _with_tracing(service._update_state_machine)
    service._delete_state_machine = _with_end(service._delete_state_machine)
    service._list_executions = _listing(service._list_executions)
    service._get_execution_history = _of_executions(service._get_execution_history)
    service.load_persisted_state = _keeping(service.load_persisted_state)
    service.handle_request = _redriving(service.handle_request, _answering(_redrive))
    executions.serve(changed)


def resume() -> None:
    """Let the executions go on that ran when the emulator ended. The functions must have been restored."""
    for (account, region, _), record in service._executions.all_items():
        if record["status"] == "RUNNING":
            contextvars.copy_context().run(_resume, account, region, record)


def _resume(account: str, region: str, record: Record) -> None:
    set_request_account_id(account)
    set_request_region(region)
    executions.run(record, executions.history_of(record))


# Executions.


def _start(data: Record) -> Json:
    machine, version = _machine(data)
    if machine["type"] == "EXPRESS":
        record = _express(data, machine, version)
        executions.run(record, _begun(record))
    else:
        record = _record(data, machine, version, data.get("name") or new_uuid())
        known = service._executions.get(record["executionArn"])
        if known and known["status"] == "RUNNING" and known["input"] == record["input"]:
            return {"executionArn": known["executionArn"], "startDate": known["startDate"]}
        if known:
            raise Refused("ExecutionAlreadyExists", f"Execution Already Exists: '{record['executionArn']}'")
        history = _begun(record)
        service._executions[record["executionArn"]] = record  # whole: it may be written down at any time
        service._emit_execution_status_event(record)
        executions.run(record, history)
    return {"executionArn": record["executionArn"], "startDate": record["startDate"]}


def _start_sync(data: Record) -> Json:
    machine, version = _machine(data)
    if machine["type"] != "EXPRESS":
        raise _not_supported()
    record = _express(data, machine, version)
    executions.run(record, _begun(record)).result()
    names = ("executionArn", "stateMachineArn", "name", "startDate", "stopDate", "status", "input", "output")
    details = {"inputDetails": _INCLUDED, **({"outputDetails": _INCLUDED} if record["output"] is not None else {})}
    return {name: record.get(name) for name in (*names, "error", "cause")} | details


def _begun(record: Record) -> History:
    history = executions.history_of(record)
    history.add("ExecutionStarted", 0, state_history.started(record["input"], record["roleArn"]))
    return history


def _machine(data: Record) -> tuple[Record, Record]:
    """Return the state machine that a request names, and the version of it that is to run, or the machine again."""
    arn = data.get("stateMachineArn", "")
    base = service._resolve_state_machine_arn(arn)
    if base is None:
        raise Refused("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
    machine = service._state_machines[base]
    return machine, service._state_machine_versions.get(service._execution_version_arn(arn), machine)


def _express(data: Record, machine: Record, version: Record) -> Record:
    """Return an execution of which nobody keeps a record."""
    record = _record(data, machine, version, data.get("name") or new_uuid())
    limit = time.time() + EXPRESS_LIMIT_S
    deadline = limit if record["deadline"] is None else min(limit, record["deadline"])
    arn = f"{record['executionArn'].replace(':execution:', ':express:', 1)}:{new_uuid()}"
    return {**record, "executionArn": arn, "deadline": deadline, "sync": True}


def _record(data: Record, machine: Record, version: Record, name: str) -> Record:
    given = data.get("input") or "{}"
    if not _NAME.fullmatch(name):
        raise Refused("InvalidName", f"Invalid Name: '{name}'")
    if len(given.encode()) > LIMIT_BYTES:
        raise Refused("ValidationException", f"'input' must have length less than or equal to {LIMIT_BYTES}")
    try:
        compact(json.loads(given)).encode()
    except ValueError as error:
        raise Refused("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'") from None
    arn = f"arn:aws:states:{get_region()}:{get_account_id()}:execution:{machine['name']}:{name}"
    encryption = version.get("encryptionConfiguration") or service._default_encryption()
    return {
        "executionArn": arn,
        "stateMachineArn": machine["stateMachineArn"],
        "stateMachineName": machine["name"],
        "name": name,
        "status": "RUNNING",
        "startDate": now_iso(),
        "stopDate": None,
        "input": given,
        "output": None,
        # Whatever becomes of the machine.
        "definition": version["definition"],
        "roleArn": version["roleArn"],
        "updateDate": machine.get("updateDate", machine["creationDate"]),
        "encryptionConfiguration": copy.deepcopy(encryption),
        "logging": copy.deepcopy(version["loggingConfiguration"]),
        "deadline": _deadline(version["definition"]),
        "redriveCount": 0,
        "redriveDate": None,
        "positions": {},
        "events": [],
    }


def _deadline(definition: str) -> float | None:
    timeout_s = json.loads(definition).get("TimeoutSeconds")
    return None if timeout_s is None else time.time() + timeout_s


def _stop(data: Record) -> Json:
    record = _execution(data)
    this = executions.running(record["executionArn"])
    if this:
        executions.abort(this, data.get("error"), data.get("cause"))
    # One that has ended stays as it is, and that is no error (awslabs/visual-asset-management-system, issue 344).
    return {"stopDate": record["stopDate"]}


def _redrive(data: Record) -> Json:
    record = _execution(data)
    token = data.get("clientToken")
    if token is not None and token == record.get("redriveToken"):
        return {"redriveDate": record["redriveDate"]}  # the request again, whose answer was lost
    if record["status"] not in REDRIVABLE:
        raise Refused("ExecutionNotRedrivable", _not_redrivable(record))
    record.update(
        status="RUNNING",
        stopDate=None,
        redriveCount=record["redriveCount"] + 1,
        redriveDate=now_iso(),
        redriveToken=token,
        deadline=_deadline(record["definition"]),
        positions=afresh(record["positions"]),
    )
    for name in ("error", "cause"):
        record.pop(name, None)
    history = executions.history_of(record)
    details = {"executionRedrivenEventDetails": {"redriveCount": record["redriveCount"]}}
    history.add("ExecutionRedriven", None, details)
    service._emit_execution_status_event(record)
    executions.run(record, history)
    return {"redriveDate": record["redriveDate"]}


def _not_redrivable(record: Record) -> str:
    return f"Execution is {record['status']} and cannot be redriven"


def _describe(data: Record) -> Json:
    record = _execution(data)
    names = ("executionArn", "stateMachineArn", "name", "status", "startDate", "stopDate", "input", "output")
    known = {name: record.get(name) for name in (*names, "error", "cause", "redriveDate")}
    known |= {"inputDetails": _INCLUDED, "redriveCount": record["redriveCount"]}
    if record["output"] is not None:
        known["outputDetails"] = _INCLUDED
    if record["status"] in REDRIVABLE:
        return known | {"redriveStatus": "REDRIVABLE"}
    return known | {"redriveStatus": "NOT_REDRIVABLE", "redriveStatusReason": _not_redrivable(record)}


def _describe_machine(data: Record) -> Json:
    record = _execution(data)
    return {
        "stateMachineArn": record["stateMachineArn"],
        "name": record["stateMachineName"],
        **{name: record[name] for name in ("definition", "roleArn", "updateDate", "encryptionConfiguration")},
    }


def _execution(data: Record) -> Record:
    arn = data.get("executionArn", "")
    if ":express:" in arn:
        raise Refused("InvalidArn", "Invalid Arn: 'Resource type not valid in this context: express'")
    record: Record | None = service._executions.get(arn)
    if record is None:
        raise Refused("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
    return record


def _not_supported() -> Refused:
    return Refused("StateMachineTypeNotSupported", "This operation is not supported by this type of state machine")


# What is put around ministack's own.


def _answering(answer: Callable[[Record], Json]) -> Handler:
    def handler(data: Record) -> Response:
        try:
            response: Response = json_response({k: v for k, v in answer(data).items() if v is not None})
        except Refused as refused:
            response = error_response_json(refused.code, str(refused), 400)
        return response

    return handler


def _redriving(served: Serve, redrive: Handler) -> Serve:
    async def serve(method: str, path: str, headers: Record, body: bytes, query: Record) -> Response:
        if headers.get("x-amz-target", "").endswith(".RedriveExecution"):
            response: Response = service._finalize_response(redrive(json.loads(body)))
            return response
        return await served(method, path, headers, body, query)

    return serve


def _with_tracing(made: Handler) -> Handler:
    def handler(data: Record) -> Response:
        response = made(data)
        arn = data.get("stateMachineArn") or json.loads(response[2]).get("stateMachineArn")
        if response[0] == 200:
            machine = service._state_machines[arn]
            machine["tracingConfiguration"] = data.get(
                "tracingConfiguration", machine.get("tracingConfiguration", {"enabled": False})
            )
            if "updateDate" in json.loads(response[2]):
                machine["updateDate"] = now_iso()
        return response

    return handler


def _with_end(deleted: Handler) -> Handler:
    def handler(data: Record) -> Response:
        for this in executions.running_in(data.get("stateMachineArn", "")):
            executions.abort(this, None, "the state machine is deleted")
        return deleted(data)

    return handler


def _listing(listed: Handler) -> Handler:
    def answer(data: Record) -> Json:
        machine, _ = _machine(data)
        if machine["type"] == "EXPRESS":
            raise _not_supported()
        found = json.loads(listed({**data, "stateMachineArn": machine["stateMachineArn"]})[2])
        for item in found.get("executions", ()):
            item["redriveCount"] = service._executions[item["executionArn"]]["redriveCount"]
        return found

    return _answering(answer)


def _of_executions(asked: Handler) -> Handler:
    def handler(data: Record) -> Response:
        try:
            _execution(data)
        except Refused as refused:
            response: Response = error_response_json(refused.code, str(refused), 400)
            return response
        return asked(data)

    return handler


def _keeping(load: Callable[[Record], None]) -> Callable[[Record], None]:
    def handler(data: Record) -> None:
        """Restore what was held, but do not fail what ran: it goes on with `resume`."""
        held = data["executions"]._data
        for key in [key for key, record in held.items() if "positions" not in record]:
            del held[key]  # ministack's own, from before there were ours
        alive = [record for record in held.values() if record["status"] == "RUNNING"]
        load(data)
        for record in alive:
            record.update(status="RUNNING", stopDate=None)
            del record["error"], record["cause"]

    return handler
