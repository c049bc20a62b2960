"""Step Functions on the local target: what is asked over its API, and the functions that it really invokes."""

from __future__ import annotations

import json
import os
import signal
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local import deployment, server
from tests.emulator import running_emulator
from tests.local.conftest import Deployed, eventually
from tests.local.state_world import branch, parallel

pytestmark = pytest.mark.e2e
RUNTIMES = pytest.mark.parametrize("runtime", ["python", "node", "container"])
BOTH = pytest.mark.parametrize("runtime", ["python", "node"])
Json = Any


class Machines:
    """State machines, and the functions of tests/local/functions."""

    def __init__(self, client: Any, role: str, arns: dict[str, str]) -> None:
        self.client = client
        self.role = role
        self.arns = arns

    def task(self, function: str, arguments: Json = None, **fields: Json) -> Json:
        end = {} if "Next" in fields else {"End": True}
        given = {} if arguments is None else {"Arguments": arguments}
        return {"Type": "Task", "Resource": self.arns.get(function, function), **given, **end, **fields}

    def create(self, *, type: str = "STANDARD", timeout_s: int | None = None, **states: Json) -> str:  # noqa: A002
        made = self.client.create_state_machine(
            name=f"m-{uuid.uuid4().hex}", type=type, roleArn=self.role, definition=definition(timeout_s, **states)
        )
        return str(made["stateMachineArn"])

    def start(self, machine: str, given: Json = None, name: str | None = None) -> str:
        text = json.dumps(given, ensure_ascii=False, separators=(",", ":"))
        named = {"name": name} if name else {}
        return str(self.client.start_execution(stateMachineArn=machine, input=text, **named)["executionArn"])

    def describe(self, execution: str) -> Json:
        return self.client.describe_execution(executionArn=execution)

    def ended(self, execution: str) -> Json:
        """Return the execution once it has ended."""
        return eventually(lambda: found if (found := self.describe(execution))["status"] != "RUNNING" else None)

    def run(self, given: Json = None, **states: Json) -> Json:
        return self.ended(self.start(self.create(**states), given))

    def events(self, execution: str) -> list[Json]:
        paginator = self.client.get_paginator("get_execution_history")
        return [event for page in paginator.paginate(executionArn=execution) for event in page["events"]]

    def types(self, execution: str) -> list[str]:
        return [event["type"] for event in self.events(execution)]

    def reaches(self, execution: str, kind: str, times: int = 1) -> None:
        """Return when there are so many events of a type."""
        eventually(lambda: self.types(execution).count(kind) >= times)


def definition(timeout_s: int | None = None, **states: Json) -> str:
    limit = {} if timeout_s is None else {"TimeoutSeconds": timeout_s}
    return json.dumps({"QueryLanguage": "JSONata", **limit, **branch(**states)})


def refusal(error: ClientError) -> tuple[str, str]:
    return str(error.response["Error"]["Code"]), str(error.response["Error"]["Message"])


@pytest.fixture(scope="module", name="machines")
def _machines(up: Deployed) -> Machines:
    trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = up.client("iam").create_role(RoleName="flows", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    functions = up.client("lambda").list_functions()["Functions"]
    arns = {f["FunctionName"]: f["FunctionArn"] for f in functions}
    named = {output: arns[name] for output, name in up.deployment.outputs.items() if name in arns}
    return Machines(up.client("stepfunctions"), role, named)


# Functions.


@RUNTIMES
def test_the_name_of_an_error_comes_through(machines: Machines, runtime: str) -> None:
    failed = machines.run(A=machines.task(runtime, {"do": "fail", "message": "too much"}))
    assert (failed["status"], failed["error"]) == ("FAILED", "QuotaExceeded")
    cause = json.loads(failed["cause"])
    assert (cause["errorType"], cause["errorMessage"]) == ("QuotaExceeded", "too much")
    caught = [{"ErrorEquals": ["QuotaExceeded"], "Output": "caught", "Next": "E"}]
    task = machines.task(runtime, {"do": "fail", "message": ""}, Catch=caught)
    assert machines.run(A=task, E={"Type": "Succeed"})["output"] == '"caught"'


def test_failures_of_lambda_have_awss_names(machines: Machines) -> None:
    def error(*task: Json) -> str:
        return str(machines.run(A=machines.task(*task))["error"])

    unknown = machines.arns["python"] + "-nope"
    assert error("python", {"do": "exit"}) == "Runtime.ExitError"
    assert error("python", {"do": "sleep", "seconds": 30}) == "Sandbox.Timedout"
    assert error("broken", {}) == "Runtime.ImportModuleError"
    assert error("node", {"do": "bigint"}) == "Runtime.MarshalError"
    assert error(unknown, {}) == "Lambda.ResourceNotFoundException"


def test_a_message_that_is_no_text_does_not_break_the_history(machines: Machines) -> None:
    failed = machines.run(A=machines.task("node", {"do": "mangle"}))
    assert (failed["error"], json.loads(failed["cause"])["errorMessage"]) == ("QuotaExceeded", "?")
    assert machines.types(failed["executionArn"])[-1] == "ExecutionFailed"


@pytest.fixture
def busy(up: Deployed) -> Iterator[None]:
    """The Node function accepts no invocation."""
    client, name = up.client("lambda"), up.deployment.outputs["node"]
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    yield
    client.delete_function_concurrency(FunctionName=name)


@pytest.mark.usefixtures("busy")
def test_a_function_that_is_busy_throttles(machines: Machines) -> None:
    failed = machines.run(A=machines.task("node", {"do": "echo"}))
    assert failed["error"] == "Lambda.TooManyRequestsException"


@BOTH
def test_values_come_back_as_they_are(machines: Machines, runtime: str) -> None:
    given = {"do": "echo", "text": "é\u2028\U0001f600{% $x %}", "numbers": [1, 2.5, 2**53], "nothing": None, "": []}
    done = machines.run(given, A=machines.task(runtime))
    assert json.loads(done["output"]) == given
    # 262144 bytes to the function and back, and one more.
    exact = {"do": "echo", "text": "é" + "x" * (262_144 - len('{"do":"echo","text":""}') - 2)}
    grown = "{% $states.input ~> |$|{'text': text & 'x'}| %}"
    assert machines.run(exact, A=machines.task(runtime))["status"] == "SUCCEEDED"
    assert machines.run(exact, A=machines.task(runtime, grown))["error"] == "States.DataLimitExceeded"


def test_many_functions_run_at_once(machines: Machines) -> None:
    branches = [{f"T{number}": machines.task("node", {"do": "sleep", "seconds": 0.5})} for number in range(40)]
    execution = machines.start(machines.create(P=parallel(*branches)))
    done = machines.ended(execution)
    assert (done["status"], json.loads(done["output"])) == ("SUCCEEDED", [None] * 40)
    assert (done["stopDate"] - done["startDate"]).total_seconds() < 40 * 0.5


def test_a_time_out_is_the_states_and_not_the_functions(machines: Machines) -> None:
    execution = machines.start(
        machines.create(A=machines.task("python", {"do": "sleep", "seconds": 1.8}, TimeoutSeconds=1))
    )
    failed = machines.ended(execution)
    assert (failed["status"], failed["error"], failed.get("cause")) == ("FAILED", "States.Timeout", None)
    assert (failed["stopDate"] - failed["startDate"]).total_seconds() >= 1
    assert machines.types(execution)[-2:] == ["LambdaFunctionTimedOut", "ExecutionFailed"]


# Executions.


def test_the_history_is_whole(machines: Machines) -> None:
    execution = machines.start(machines.create(A=machines.task("python")), {"do": "echo"})
    machines.ended(execution)
    events = machines.events(execution)
    echoed = {"output": '{"do":"echo"}', "outputDetails": {"truncated": False}}
    given = {"input": '{"do":"echo"}', "inputDetails": {"truncated": False}}
    times = [event.pop("timestamp") for event in events]
    assert times == sorted(times)
    assert times[0].microsecond % 1000 == 0
    assert [(e.pop("id"), e.pop("previousEventId"), e.pop("type"), e) for e in events] == [
        (1, 0, "ExecutionStarted",
         {"executionStartedEventDetails": {**given, "roleArn": machines.role}}),
        (2, 0, "TaskStateEntered", {"stateEnteredEventDetails": {"name": "A", **given}}),
        (3, 2, "LambdaFunctionScheduled",
         {"lambdaFunctionScheduledEventDetails": {"resource": machines.arns["python"], **given}}),
        (4, 3, "LambdaFunctionStarted", {}),
        (5, 4, "LambdaFunctionSucceeded", {"lambdaFunctionSucceededEventDetails": echoed}),
        (6, 5, "TaskStateExited", {"stateExitedEventDetails": {"name": "A", **echoed}}),
        (7, 6, "ExecutionSucceeded", {"executionSucceededEventDetails": echoed}),
    ]  # fmt: skip


def test_the_same_start_twice_is_one_execution_while_it_runs(machines: Machines) -> None:
    machine = machines.create(W={"Type": "Wait", "Seconds": 3600, "End": True})
    start = partial(machines.client.start_execution, stateMachineArn=machine, name="one")
    first = start(input='{"n": 1}')
    again = start(input='{"n": 1}')
    assert (again["executionArn"], again["startDate"]) == (first["executionArn"], first["startDate"])
    exists = ("ExecutionAlreadyExists", f"Execution Already Exists: '{first['executionArn']}'")
    with pytest.raises(ClientError) as other:
        start(input='{"n": 2}')
    assert refusal(other.value) == exists
    machines.client.stop_execution(executionArn=first["executionArn"])
    with pytest.raises(ClientError) as late:
        start(input='{"n": 1}')
    assert refusal(late.value) == exists
    assert machines.types(first["executionArn"]).count("ExecutionStarted") == 1


def test_what_cannot_be_started_is_refused(machines: Machines) -> None:
    machine = machines.create(P={"Type": "Pass", "End": True})
    start = machines.client.start_execution
    for name, given, code in (
        ("a b", "{}", "InvalidName"),
        ("x" * 81, "{}", "InvalidName"),
        ("a", "not", "InvalidExecutionInput"),
        ("a", json.dumps("x" * 262_143), "ValidationException"),
    ):
        with pytest.raises(ClientError) as error:
            start(stateMachineArn=machine, name=name, input=given)
        assert refusal(error.value)[0] == code
    for call in (partial(start, input="{}"), machines.client.list_executions):
        with pytest.raises(ClientError) as unknown:
            call(stateMachineArn=f"{machine}x")
        assert refusal(unknown.value) == ("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{machine}x'")
    execution = machines.start(machine)
    for ask in ("describe_execution", "get_execution_history", "stop_execution", "redrive_execution"):
        with pytest.raises(ClientError) as missing:
            getattr(machines.client, ask)(executionArn=f"{execution}x")
        assert refusal(missing.value)[0] == "ExecutionDoesNotExist"


def test_an_execution_keeps_the_definition_that_it_was_started_with(machines: Machines) -> None:
    machine = machines.create(
        A=machines.task("python", {"do": "sleep", "seconds": 0.5}, Next="E"),
        E={"Type": "Pass", "Output": "old", "End": True},
    )
    old = machines.client.describe_state_machine(stateMachineArn=machine)["definition"]
    execution = machines.start(machine)
    new = definition(E={"Type": "Pass", "Output": "new", "End": True})
    machines.client.update_state_machine(stateMachineArn=machine, definition=new)
    assert machines.ended(execution)["output"] == '"old"'
    assert machines.ended(machines.start(machine))["output"] == '"new"'
    described = machines.client.describe_state_machine_for_execution(executionArn=execution)
    assert (described["stateMachineArn"], described["definition"], described["roleArn"]) == (
        machine,
        old,
        machines.role,
    )


def test_a_stopped_execution_starts_nothing_more(machines: Machines) -> None:
    slow = machines.task("python", {"do": "sleep", "seconds": 1}, Next="B")
    after = machines.task("python", {"do": "echo"})
    execution = machines.start(machines.create(A=slow, B=after))
    machines.reaches(execution, "LambdaFunctionStarted")
    machines.client.stop_execution(executionArn=execution, error="Mine", cause="canceled")
    stopped = machines.describe(execution)
    assert (stopped["status"], stopped["error"], stopped["cause"]) == ("ABORTED", "Mine", "canceled")
    events = machines.events(execution)
    assert events[-1]["executionAbortedEventDetails"] == {"error": "Mine", "cause": "canceled"}
    # Another that began later has come further than the stopped one would have by now.
    machines.run(A=slow, B=after)
    assert machines.events(execution) == events
    assert machines.client.stop_execution(executionArn=execution)["stopDate"] == stopped["stopDate"]


def test_an_execution_has_its_time(machines: Machines) -> None:
    states = {"A": machines.task("python", {"do": "sleep", "seconds": 1.8})}
    execution = machines.start(machines.create(timeout_s=1, **states))
    ended = machines.ended(execution)
    assert (ended["status"], "error" in ended, ended["redriveStatus"]) == ("TIMED_OUT", False, "REDRIVABLE")
    assert machines.events(execution)[-1]["type"] == "ExecutionTimedOut"


def test_deleting_a_machine_ends_what_runs_in_it(machines: Machines) -> None:
    machine = machines.create(W={"Type": "Wait", "Seconds": 3600, "End": True})
    execution = machines.start(machine)
    machines.client.delete_state_machine(stateMachineArn=machine)
    with pytest.raises(ClientError, match="ExecutionDoesNotExist"):
        machines.describe(execution)


def test_a_redrive_runs_what_has_not_succeeded(machines: Machines, up: Deployed) -> None:
    """With the definition of the start, and not with what the machine has become."""
    functions, node = up.client("lambda"), up.deployment.outputs["node"]
    functions.put_function_concurrency(FunctionName=node, ReservedConcurrentExecutions=0)
    again = "$states.context.Execution.RedriveCount = 1"
    machine = machines.create(
        A=machines.task("python", {"do": "look"}, Assign={"pid": "{% $states.result.pid %}"}, Next="P"),
        P=parallel(
            {"B": machines.task("node", {"do": "echo", "pid": "{% $pid %}"}, Output="{% $states.result.pid %}")},
            {"C": {"Type": "Pass", "Output": "{% $pid %}", "End": True}},
            Next="D",
        ),
        D={"Type": "Pass", "Output": f"{{% $states.input[0] = $states.input[1] and {again} %}}", "End": True},
    )
    execution = machines.start(machine)
    failed = machines.ended(execution)
    assert (failed["error"], failed["redriveStatus"]) == ("Lambda.TooManyRequestsException", "REDRIVABLE")
    machines.client.update_state_machine(
        stateMachineArn=machine, definition=definition(A={"Type": "Fail", "Error": "New"})
    )
    functions.delete_function_concurrency(FunctionName=node)
    before = machines.events(execution)
    token = uuid.uuid4().hex
    redriven = machines.client.redrive_execution(executionArn=execution, clientToken=token)["redriveDate"]
    done = machines.ended(execution)
    assert machines.client.redrive_execution(executionArn=execution, clientToken=token)["redriveDate"] == redriven
    assert (done["status"], done["output"], "error" in done) == ("SUCCEEDED", "true", False)
    assert (done["redriveCount"], done["redriveDate"]) == (1, redriven)
    assert (done["redriveStatus"], done["startDate"]) == ("NOT_REDRIVABLE", failed["startDate"])
    events = machines.events(execution)
    assert events[: len(before)] == before
    added = events[len(before) :]
    assert added[0]["executionRedrivenEventDetails"] == {"redriveCount": 1}
    assert [event["type"] for event in added] == [
        "ExecutionRedriven",
        "LambdaFunctionScheduled",
        "LambdaFunctionStarted",
        "LambdaFunctionSucceeded",
        "TaskStateExited",
        "ParallelStateSucceeded",
        "ParallelStateExited",
        "PassStateEntered",
        "PassStateExited",
        "ExecutionSucceeded",
    ]
    [listed] = machines.client.list_executions(stateMachineArn=machine)["executions"]
    assert (listed["executionArn"], listed["redriveCount"]) == (execution, 1)


def test_only_what_has_not_succeeded_can_be_redriven(machines: Machines) -> None:
    done = machines.run(P={"Type": "Pass", "End": True})["executionArn"]
    waiting = machines.start(machines.create(W={"Type": "Wait", "Seconds": 3600, "End": True}))
    for execution, status in ((done, "SUCCEEDED"), (waiting, "RUNNING")):
        with pytest.raises(ClientError) as error:
            machines.client.redrive_execution(executionArn=execution)
        reason = f"Execution is {status} and cannot be redriven"
        assert refusal(error.value) == ("ExecutionNotRedrivable", reason)
        assert machines.describe(execution)["redriveStatusReason"] == reason
    machines.client.stop_execution(executionArn=waiting)
    machines.client.redrive_execution(executionArn=waiting)
    assert machines.describe(waiting)["status"] == "RUNNING"
    assert machines.types(waiting) == ["ExecutionStarted", "WaitStateEntered", "ExecutionAborted", "ExecutionRedriven"]
    machines.client.stop_execution(executionArn=waiting)


def test_of_an_express_execution_there_is_no_record(machines: Machines) -> None:
    machine = machines.create(type="EXPRESS", A=machines.task("python", {"do": "echo"}))
    execution = machines.start(machine, name="one")
    assert execution.startswith(machine.replace(":stateMachine:", ":express:") + ":one:")
    assert machines.start(machine, name="one") != execution
    for ask in ("describe_execution", "get_execution_history", "stop_execution", "redrive_execution"):
        with pytest.raises(ClientError) as error:
            getattr(machines.client, ask)(executionArn=execution)
        assert refusal(error.value) == ("InvalidArn", "Invalid Arn: 'Resource type not valid in this context: express'")
    with pytest.raises(ClientError, match="StateMachineTypeNotSupported"):
        machines.client.list_executions(stateMachineArn=machine)


def test_an_express_execution_can_be_waited_for(machines: Machines, up: Deployed) -> None:
    # On AWS the name of the host begins with `sync-`; here there is one host.
    client = boto3.client(
        "stepfunctions",
        endpoint_url=up.deployment.endpoint_url,
        region_name=up.deployment.region,
        aws_access_key_id=up.deployment.access_key,
        aws_secret_access_key=up.deployment.secret_key,
        config=Config(inject_host_prefix=False),
    )
    done = machines.create(type="EXPRESS", A=machines.task("python"))
    answer = client.start_sync_execution(stateMachineArn=done, name="one", input='{"do":"echo"}')
    assert (answer["status"], answer["output"], answer["name"]) == ("SUCCEEDED", '{"do":"echo"}', "one")
    broken = machines.create(type="EXPRESS", A={"Type": "Fail", "Error": "Mine", "Cause": "yes"})
    answer = client.start_sync_execution(stateMachineArn=broken)
    assert (answer["status"], answer["error"], answer["cause"]) == ("FAILED", "Mine", "yes")
    with pytest.raises(ClientError, match="StateMachineTypeNotSupported"):
        client.start_sync_execution(stateMachineArn=machines.create(P={"Type": "Pass", "End": True}))


def test_a_log_says_what_happened_and_no_data_unless_it_is_to(machines: Machines, up: Deployed) -> None:
    logs, group = up.client("logs"), f"flows-{uuid.uuid4().hex}"
    logs.create_log_group(logGroupName=group)
    arn = f"arn:aws:logs:{up.deployment.region}:000000000000:log-group:{group}:*"
    machine = machines.create(type="EXPRESS", A={"Type": "Fail", "Error": "Mine"})
    executions = []
    for level, data in (("OFF", True), ("FATAL", True), ("ERROR", False), ("ALL", True)):
        destinations = [{"cloudWatchLogsLogGroup": {"logGroupArn": arn}}]
        logging = {"level": level, "includeExecutionData": data, "destinations": destinations}
        machines.client.update_state_machine(stateMachineArn=machine, loggingConfiguration=logging)
        executions.append(machines.start(machine, {"secret": 1}))
    off, fatal, errors, everything = executions
    given = {"input": '{"secret":1}', "inputDetails": {"truncated": False}}
    started = ("1", "0", "ExecutionStarted", {**given, "roleArn": machines.role})
    failed = ("3", "2", "ExecutionFailed", {"error": "Mine"})

    def lines(execution: str) -> list[Json]:
        events = logs.filter_log_events(logGroupName=group)["events"]
        found = [line for event in events if (line := json.loads(event["message"]))["execution_arn"] == execution]
        return [(line["id"], line["previous_event_id"], line["type"], line["details"]) for line in found]

    eventually(lambda: len(lines(everything)) == 3)  # and the others came before it
    assert lines(everything) == [started, ("2", "0", "FailStateEntered", {"name": "A", **given}), failed]
    assert lines(errors) == [("2", "0", "FailStateEntered", {"name": "A"}), failed]
    assert (lines(fatal), lines(off)) == ([failed], [])


@pytest.fixture
def patient(up: Deployed) -> Iterator[None]:
    """The Node function may take a minute."""
    client, name = up.client("lambda"), up.deployment.outputs["node"]
    client.update_function_configuration(FunctionName=name, Timeout=60)
    yield
    client.update_function_configuration(FunctionName=name, Timeout=2)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("kill", [False, True])
def test_what_runs_goes_on_after_a_restart(up: Deployed, machines: Machines, kill: bool) -> None:  # noqa: FBT001
    retry = [{"ErrorEquals": ["Runtime.ExitError"], "MaxAttempts": 2, "BackoffRate": 1}]
    slow = {"do": "sleep", "seconds": "{% $states.context.State.RetryCount = 0 ? 50 : 0 %}"}
    machine = machines.create(
        A=machines.task("python", {"do": "echo", "kept": 7}, Assign={"kept": "{% $states.result.kept %}"}, Next="P"),
        P=parallel(
            {"B": machines.task("node", slow, Retry=retry, Output="{% $kept %}")},
            {"C": {"Type": "Pass", "Output": "C", "End": True}},
        ),
    )
    execution = machines.start(machine)
    machines.reaches(execution, "PassStateExited")
    machines.reaches(execution, "LambdaFunctionStarted", times=2)
    if kill:
        found = server.running(up.sample.state_dir)
        assert found
        server.checkpoint(found)
        os.kill(found.pid, signal.SIGKILL)
    assert deployment.restart(project=up.sample.root) == up.deployment
    done = machines.ended(execution)
    assert (done["status"], done["output"]) == ("SUCCEEDED", '[7,"C"]')
    failed = [e["lambdaFunctionFailedEventDetails"] for e in machines.events(execution) if e["type"].endswith("Failed")]
    assert [each["error"] for each in failed] == ["Runtime.ExitError"]
    assert machines.types(execution).count("TaskStateEntered") == 2


def test_waits_can_be_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = server._environment
    monkeypatch.setattr(server, "_environment", lambda *given: {**environment(*given), "SFN_WAIT_SCALE": "0"})
    with running_emulator(tmp_path) as emulator:
        role = emulator.client("iam").create_role(RoleName="flows", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        machines = Machines(emulator.client("stepfunctions"), role, {})
        unknown = f"arn:aws:lambda:{emulator.region}:{emulator.account}:function:nope"
        retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 3600, "MaxAttempts": 2}]
        failed = machines.run(
            W={"Type": "Wait", "Seconds": 3600, "Next": "A"}, A=machines.task(unknown, {}, Retry=retry)
        )
        assert failed["error"] == "Lambda.ResourceNotFoundException"
        assert machines.types(failed["executionArn"]).count("LambdaFunctionScheduled") == 3
