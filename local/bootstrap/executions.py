# ruff: noqa: INP001, SLF001 - part of the emulator's program; ministack has no interface for what is inside it
"""Runs the executions of state machines in the emulator's process: one thread for all, and one for each invocation.

An execution is kept where ministack keeps its own, in its form and with what it has no place for: "definition", the one
that it was started with; "positions", where it stands; "deadline", in epoch seconds or None; the counts of redrives.
The role of a state machine is not asked for its permissions: ministack does not either.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import random
import threading
import time
import traceback
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from ministack.core.responses import new_uuid, now_iso
from ministack.services import cloudwatch_logs, lambda_svc
from ministack.services import stepfunctions as service

from local.bootstrap import state_history, state_logs
from local.bootstrap.state_errors import RUNTIME, Failed
from local.bootstrap.state_history import Ended, Event, History
from local.bootstrap.state_queries import evaluate
from local.bootstrap.state_values import Json, compact
from local.bootstrap.states import Ending, Ports, Walk

Record = dict[str, Json]


@dataclass(frozen=True)
class Running:
    record: Record
    history: History
    walk: Future[None]


_loop = asyncio.new_event_loop()
_running: dict[str, Running] = {}
_changed = threading.Event()


def serve(changed: threading.Event) -> None:
    """Start the thread of the walks. `changed` is set with everything that happens."""
    global _changed  # noqa: PLW0603 - the emulator is one process, and so are its modules
    _changed = changed
    threading.Thread(target=_loop.run_forever, daemon=True, name="executions").start()


def run(record: Record, history: History) -> Future[None]:
    """Walk on from where an execution stands, to its end."""
    walk = asyncio.run_coroutine_threadsafe(_walk(record, history), _loop)
    arn, this = record["executionArn"], Running(record, history, walk)
    _running[arn] = this
    walk.add_done_callback(lambda _: _running.pop(arn) if _running.get(arn) is this else None)
    return walk


def history_of(record: Record) -> History:
    """Return a history that is also logged, if the state machine's executions are."""
    logging = record["logging"]
    group = state_logs.group_of(logging)
    stream = {"logGroupName": group, "logStreamName": f"states/{record['stateMachineName']}/{now_iso()}/{new_uuid()}"}

    def tell(event: Event) -> None:
        _changed.set()
        text = state_logs.line(event, logging, record["executionArn"], record["redriveCount"])
        if group and text is not None:
            # Of these the first does nothing from the second time on; and neither does anything without the group.
            cloudwatch_logs._create_log_stream(stream)
            line = {"timestamp": round(event["timestamp"] * 1000), "message": text}
            cloudwatch_logs._put_log_events({**stream, "logEvents": [line]})

    return History(record, time.time, tell)


def running(arn: str) -> Running | None:
    return _running.get(arn)


def running_in(machine: str) -> list[Running]:
    """Return what runs of a state machine, by its ARN."""
    return [each for each in list(_running.values()) if each.record["stateMachineArn"] == machine]


def abort(this: Running, error: str | None, cause: str | None) -> None:
    """End an execution, unless it has ended. Nothing of it starts any more from here on."""
    failure = {name: value for name, value in {"error": error, "cause": cause}.items() if value is not None}
    changes = {"status": "ABORTED", "stopDate": now_iso(), **failure}
    if this.history.end("ExecutionAborted", 0, {"executionAbortedEventDetails": failure}, changes):
        this.walk.cancel()
        service._emit_execution_status_event(this.record)


async def _walk(record: Record, history: History) -> None:
    ports = Ports(history.add, _evaluate, _invoke, _sleep, time.time, random.SystemRandom().random)
    try:
        definition = json.loads(record["definition"])
        timeout_s = None if record["deadline"] is None else max(0.0, record["deadline"] - time.time())
        ending = await Walk(definition, _context(record), record["positions"], ports).run(timeout_s)
    except Ended:
        return
    except Exception as broken:  # noqa: BLE001 - whatever it is, the execution ends
        traceback.print_exc()
        ending = Ending("FAILED", len(record["events"]), failure=Failed(RUNTIME, repr(broken)))
    _conclude(record, history, ending)


def _conclude(record: Record, history: History, ending: Ending) -> None:
    status, failure, output = ending.status, ending.failure, ending.output
    changes: Record = {"status": status, "stopDate": now_iso(), "output": output}
    if failure:
        changes |= failure.details
        details: Record = {"executionFailedEventDetails": failure.details}
    else:
        details = {} if output is None else state_history.succeeded(output)
    kinds = {"SUCCEEDED": "ExecutionSucceeded", "FAILED": "ExecutionFailed", "TIMED_OUT": "ExecutionTimedOut"}
    if history.end(kinds[status], ending.previous, details, changes):
        if status == "SUCCEEDED":
            record["positions"] = {}
        service._emit_execution_status_event(record)


def _context(record: Record) -> Record:
    redriven = {"RedriveTime": record["redriveDate"]} if record["redriveCount"] else {}
    return {
        "Execution": {
            "Id": record["executionArn"],
            "Input": json.loads(record["input"]),
            "Name": record["name"],
            "RoleArn": record["roleArn"],
            "StartTime": record["startDate"],
            "RedriveCount": record["redriveCount"],
            **redriven,
        },
        "StateMachine": {"Id": record["stateMachineArn"], "Name": record["stateMachineName"]},
    }


# The ports of a walk.


async def _sleep(seconds: float) -> None:
    """Wait, as long as SFN_WAIT_SCALE says: 0 is not at all. Time-outs are not scaled."""
    await asyncio.sleep(seconds * service._SFN_WAIT_SCALE)


def _evaluate(expression: str, variables: Mapping[str, Json]) -> Json:
    return evaluate(expression, variables, service._register_sfn_jsonata_functions)


async def _invoke(resource: str, payload: Json) -> Json:
    """Invoke a function in a thread of its own, and wait. If nobody waits any more, it goes on all the same."""
    result: asyncio.Future[Json] = _loop.create_future()
    context = contextvars.copy_context()  # with the account and the region

    def settle(value: Json, failure: Exception | None) -> None:
        if result.done():
            return
        if failure:
            result.set_exception(failure)
        else:
            result.set_result(value)

    def work() -> None:
        try:
            value, failure = invoke(resource, payload), None
        except Exception as error:  # noqa: BLE001 - the walk raises it again
            value, failure = None, error
        _loop.call_soon_threadsafe(settle, value, failure)

    threading.Thread(target=context.run, args=(work,), daemon=True, name="invocation").start()
    return await result


def invoke(arn: str, payload: Json) -> Json:
    """Return what a function returns. Raises Failed with the error's name, and its report as JSON text, as on AWS."""
    function, config, _ = lambda_svc._get_func_record_for_ref(arn)
    if not function or not config:
        raise Failed("Lambda.ResourceNotFoundException", f"Function not found: {arn}")
    record = lambda_svc._execution_record_for_config(function, config)
    answer = lambda_svc._execute_function_with_config_scope(record, payload)
    body = answer.get("body")
    if not answer.get("error"):
        return body
    if not isinstance(body, dict):
        raise Failed("Lambda.Unknown", str(body))
    if answer.get("throttle"):
        raise Failed(f"Lambda.{body['__type']}", body["message"])
    report = compact(body).encode(errors="replace").decode()  # a message may hold what no UTF-8 can
    raise Failed(str(json.loads(report).get("errorType") or "Lambda.Unknown"), report)
