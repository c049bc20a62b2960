"""What invokes Lambda functions, and how: event sources, permissions, and what happens to failed events."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from local.handlers.base import Handler, Inputs, Outputs, Scope, pick
from local.pulumi_runtime import Registered

# Batches of a queue that are handled at once, unless the program says it. AWS has no limit of its own; the emulator
# takes five, so that five slow messages would hold up all others. Each may be a process, so it is not many more.
_QUEUE_CONCURRENCY = 16


class EventSourceMapping(Handler):
    type = "aws:lambda/eventSourceMapping:EventSourceMapping"
    name_property = None
    replacing = ("eventSourceArn", "startingPosition", "startingPositionTimestamp")

    def unrecorded(self, scope: Scope, inputs: Inputs) -> Iterable[Registered]:
        found = scope.aws.client("lambda").list_event_source_mappings(
            EventSourceArn=inputs["eventSourceArn"], FunctionName=inputs["functionName"]
        )
        return [Registered(mapping["UUID"], {}) for mapping in found["EventSourceMappings"]]

    def create(self, scope: Scope, inputs: Inputs) -> Registered:
        made = scope.aws.client("lambda").create_event_source_mapping(
            EventSourceArn=inputs["eventSourceArn"],
            FunctionName=inputs["functionName"],
            **pick(inputs, {"startingPosition": "StartingPosition"}),
            **_mapping(inputs),
        )
        return Registered(made["UUID"], _mapping_outputs(made))

    def update(self, scope: Scope, current: Registered, inputs: Inputs, changed: Collection[str]) -> Outputs:  # noqa: ARG002
        made = scope.aws.client("lambda").update_event_source_mapping(
            UUID=current.id, FunctionName=inputs["functionName"], **_mapping(inputs)
        )
        return _mapping_outputs(made)

    def delete(self, scope: Scope, current: Registered) -> None:
        scope.aws.client("lambda").delete_event_source_mapping(UUID=current.id)


def _mapping(inputs: Inputs) -> dict[str, Any]:
    mapping = pick(
        inputs,
        {
            "batchSize": "BatchSize",
            "bisectBatchOnFunctionError": "BisectBatchOnFunctionError",
            "enabled": "Enabled",
            "functionResponseTypes": "FunctionResponseTypes",
            "maximumBatchingWindowInSeconds": "MaximumBatchingWindowInSeconds",
            "maximumRecordAgeInSeconds": "MaximumRecordAgeInSeconds",
            "maximumRetryAttempts": "MaximumRetryAttempts",
            "parallelizationFactor": "ParallelizationFactor",
            "tumblingWindowInSeconds": "TumblingWindowInSeconds",
        },
    )
    filters = (inputs.get("filterCriteria") or {}).get("filters") or []
    mapping["FilterCriteria"] = {"Filters": [{"Pattern": item["pattern"]} for item in filters]}
    concurrency = (inputs.get("scalingConfig") or {}).get("maximumConcurrency")
    if concurrency is None and ":sqs:" in inputs["eventSourceArn"]:
        concurrency = _QUEUE_CONCURRENCY
    if concurrency is not None:
        mapping["ScalingConfig"] = {"MaximumConcurrency": concurrency}
    metrics = (inputs.get("metricsConfig") or {}).get("metrics")
    if metrics:
        mapping["MetricsConfig"] = {"Metrics": metrics}
    destination = ((inputs.get("destinationConfig") or {}).get("onFailure") or {}).get("destinationArn")
    if destination:
        mapping["DestinationConfig"] = {"OnFailure": {"Destination": destination}}
    return mapping


def _mapping_outputs(made: Mapping[str, Any]) -> Outputs:
    state = made.get("State") or "Enabled"
    return {
        "uuid": made["UUID"],
        "arn": made.get("EventSourceMappingArn") or "",
        "functionArn": made["FunctionArn"],
        "state": state,
    }


class Permission(Handler):
    type = "aws:lambda/permission:Permission"
    name_property = "statementId"
    name_limit = 100
    replacing = ("*",)

    def unrecorded(self, scope: Scope, inputs: Inputs) -> Iterable[Registered]:  # noqa: ARG002
        return [Registered(f"{inputs['function']}|{inputs['statementId']}", {})]

    def create(self, scope: Scope, inputs: Inputs) -> Registered:
        scope.aws.client("lambda").add_permission(
            FunctionName=inputs["function"],
            StatementId=inputs["statementId"],
            Action=inputs["action"],
            Principal=inputs["principal"],
            **pick(inputs, {"sourceArn": "SourceArn", "sourceAccount": "SourceAccount", "qualifier": "Qualifier"}),
        )
        return Registered(f"{inputs['function']}|{inputs['statementId']}", {"statementId": inputs["statementId"]})

    def delete(self, scope: Scope, current: Registered) -> None:
        function, statement = current.id.rsplit("|", 1)
        scope.aws.client("lambda").remove_permission(FunctionName=function, StatementId=statement)


class FunctionRecursionConfig(Handler):
    type = "aws:lambda/functionRecursionConfig:FunctionRecursionConfig"
    name_property = None
    replacing = ("functionName",)

    def create(self, scope: Scope, inputs: Inputs) -> Registered:
        scope.aws.client("lambda").put_function_recursion_config(
            FunctionName=inputs["functionName"], RecursiveLoop=inputs["recursiveLoop"]
        )
        return Registered(inputs["functionName"], {})

    def update(self, scope: Scope, current: Registered, inputs: Inputs, changed: Collection[str]) -> Outputs:  # noqa: ARG002
        return dict(self.create(scope, inputs).outputs)

    def delete(self, scope: Scope, current: Registered) -> None:
        client = scope.aws.client("lambda")
        client.put_function_recursion_config(FunctionName=current.id, RecursiveLoop="Terminate")


class FunctionEventInvokeConfig(Handler):
    type = "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"
    name_property = None
    replacing = ("functionName", "qualifier")

    def create(self, scope: Scope, inputs: Inputs) -> Registered:
        destinations = {
            name: {"Destination": target["destination"]}
            for name, target in (
                ("OnFailure", (inputs.get("destinationConfig") or {}).get("onFailure")),
                ("OnSuccess", (inputs.get("destinationConfig") or {}).get("onSuccess")),
            )
            if target
        }
        scope.aws.client("lambda").put_function_event_invoke_config(
            FunctionName=inputs["functionName"],
            DestinationConfig=destinations,
            **pick(
                inputs,
                {
                    "maximumEventAgeInSeconds": "MaximumEventAgeInSeconds",
                    "maximumRetryAttempts": "MaximumRetryAttempts",
                    "qualifier": "Qualifier",
                },
            ),
        )
        return Registered(inputs["functionName"], {})

    def update(self, scope: Scope, current: Registered, inputs: Inputs, changed: Collection[str]) -> Outputs:  # noqa: ARG002
        return dict(self.create(scope, inputs).outputs)

    def delete(self, scope: Scope, current: Registered) -> None:
        scope.aws.client("lambda").delete_function_event_invoke_config(FunctionName=current.id)
