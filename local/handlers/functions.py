"""Lambda functions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from local import functions
from local.archives import zip_bytes
from local.functions import LocalFunction
from local.handlers.base import Handler, Inputs, Outputs, Scope, pick
from local.images import Images
from local.pulumi_runtime import Registered

_CODE = frozenset({"code", "imageUri", "imageConfig", "runtime", "localRuntime"})


class Function(Handler):
    type = "aws:lambda/function:Function"
    replacing = ("name", "packageType")

    def fingerprint(self, images: Images, inputs: Inputs) -> Mapping[str, Any]:  # noqa: ARG002
        return {"localRuntime": functions.fingerprint(inputs)}

    def create(self, scope: Scope, inputs: Inputs) -> Registered:
        local = functions.local_function(inputs, scope.images)
        client = scope.aws.client("lambda")
        made = client.create_function(
            FunctionName=inputs["name"],
            Runtime=functions.RUNTIME,
            Code={"ZipFile": zip_bytes(local.entries)},
            Tags=inputs.get("tags") or {},
            **_configuration(inputs, local),
        )
        _set_concurrency(client, inputs)
        return Registered(inputs["name"], _outputs(scope, made))

    def update(self, scope: Scope, current: Registered, inputs: Inputs, changed: Collection[str]) -> Outputs:
        client = scope.aws.client("lambda")
        local = functions.local_function(inputs, scope.images)
        outputs = dict(current.outputs)
        if _CODE & set(changed):
            made = client.update_function_code(FunctionName=current.id, ZipFile=zip_bytes(local.entries))
            outputs = _outputs(scope, made)
        if set(changed) - {"code", "localRuntime", "tags"}:
            client.update_function_configuration(FunctionName=current.id, **_configuration(inputs, local))
        if "reservedConcurrentExecutions" in changed:
            _set_concurrency(client, inputs)
        if inputs.get("tags") and "tags" in changed:
            client.tag_resource(Resource=outputs["arn"], Tags=inputs["tags"])
        return outputs

    def delete(self, scope: Scope, current: Registered) -> None:
        scope.aws.client("lambda").delete_function(FunctionName=current.id)


def _outputs(scope: Scope, made: Mapping[str, Any]) -> Outputs:
    arn = made["FunctionArn"]
    path = f"path/2015-03-31/functions/{arn}/invocations"
    return {
        "arn": arn,
        "name": made["FunctionName"],
        "invokeArn": f"arn:{scope.aws.partition}:apigateway:{scope.aws.region}:lambda:{path}",
        "qualifiedArn": f"{arn}:$LATEST",
        "version": "$LATEST",
        "codeSha256": made.get("CodeSha256") or "",
    }


def _configuration(inputs: Inputs, local: LocalFunction) -> dict[str, Any]:
    configuration: dict[str, Any] = {
        "Role": inputs["role"],
        "Handler": local.handler,
        "Description": inputs.get("description") or "",
        "Timeout": inputs.get("timeout") or 3,
        "MemorySize": inputs.get("memorySize") or 128,
        "Environment": {"Variables": _variables(inputs, local)},
    }
    if inputs.get("tracingConfig"):
        configuration["TracingConfig"] = {"Mode": inputs["tracingConfig"]["mode"]}
    if inputs.get("deadLetterConfig"):
        configuration["DeadLetterConfig"] = {"TargetArn": inputs["deadLetterConfig"]["targetArn"]}
    if inputs.get("ephemeralStorage"):
        configuration["EphemeralStorage"] = {"Size": inputs["ephemeralStorage"]["size"]}
    if inputs.get("loggingConfig"):
        configuration["LoggingConfig"] = pick(
            inputs["loggingConfig"],
            {
                "logFormat": "LogFormat",
                "logGroup": "LogGroup",
                "applicationLogLevel": "ApplicationLogLevel",
                "systemLogLevel": "SystemLogLevel",
            },
        )
    return configuration


def _variables(inputs: Inputs, local: LocalFunction) -> dict[str, str]:
    logging = inputs.get("loggingConfig") or {}
    variables = {
        **local.environment,
        **((inputs.get("environment") or {}).get("variables") or {}),
        **pick(
            logging,
            {
                "logGroup": "AWS_LAMBDA_LOG_GROUP_NAME",
                "logFormat": "AWS_LAMBDA_LOG_FORMAT",
                "applicationLogLevel": "AWS_LAMBDA_LOG_LEVEL",
            },
        ),
    }
    return {
        **variables,
        # The runtime lets the function see these, and not the rest of the emulator's environment.
        "ORCHESTRA_LOCAL_VARIABLES": ",".join(sorted(variables)),
        "ORCHESTRA_LOCAL_RUNTIME": local.runtime,
    }


def _set_concurrency(client: Any, inputs: Inputs) -> None:
    reserved = inputs.get("reservedConcurrentExecutions")
    if reserved is not None and reserved >= 0:
        client.put_function_concurrency(FunctionName=inputs["name"], ReservedConcurrentExecutions=reserved)
