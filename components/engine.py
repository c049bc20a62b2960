"""What the engine's functions share: their code, and the variables that tell them where everything is."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

import pulumi

from components import packaging
from components.errors import ProgramError
from components.functions import ZipCode
from components.packaging import Kind
from components.settings import FunctionDefaults

FOLDER = Path(__file__).parent.parent / "orchestration"

# Source: docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html (2026): 4 KB for names and values together.
MAX_ENVIRONMENT_BYTES = 4096
OTHER_VARIABLES_BYTES = 1792  # the table's name, three queues' URLs and four ARNs at their longest, and the settings


class EngineArgs(TypedDict):
    table_name: pulumi.Input[str]

    table_arn: pulumi.Input[str]

    services: Mapping[str, pulumi.Input[str]]
    """The name of each service's function."""

    grace_s: int
    """How long a message or a stream record may be under way before it is taken for lost."""

    lease_slack_s: int
    """How much longer than its timeout a task is left to its worker."""

    defaults: FunctionDefaults


def metrics_namespace() -> str:
    """Return the namespace of the engine's metrics: the stack's own, or alarms would hear of another stack's runs."""
    return f"Orchestra/{pulumi.get_project()}-{pulumi.get_stack()}"


def engine_code(module: str, texts: Mapping[str, str] | None = None) -> ZipCode:
    """Return the engine's bundle, with `texts` beside it, to be entered at the handler of `orchestration.<module>`."""
    files = packaging.engine_files(FOLDER)
    return ZipCode(
        archive=packaging.archive(files, texts),
        handler=f"orchestration.{module}.handler",
        runtime=Kind.PYTHON.value,
    )


def engine_defaults(args: EngineArgs) -> FunctionDefaults:
    """Return the defaults of an engine function: Lambda itself drops nothing from INFO on.

    Metrics are lines without a level, which count as INFO: under WARN Lambda would drop them all. The engine's own log
    keeps to the stack's level by POWERTOOLS_LOG_LEVEL.
    """
    defaults = args["defaults"]
    return {**defaults, "log_level": "DEBUG" if defaults["log_level"] == "DEBUG" else "INFO"}


def engine_environment(
    args: EngineArgs,
    module: str,
    *,
    queue_url: pulumi.Input[str],
    dead_letters_url: pulumi.Input[str] | None = None,
    failed_records_url: pulumi.Input[str] | None = None,
) -> dict[str, pulumi.Input[str]]:
    """Return the variables of an engine function. Raises ProgramError if the map of services cannot fit in them.

    The last two are for the functions that set aside what cannot be handled, or look at it.
    A function's name is not known before the deploy, but its length is: Pulumi appends eight characters.
    """
    services = args["services"]
    longest = json.dumps({service: "x" * len(f"task-{service}-1234567") for service in services})
    room = MAX_ENVIRONMENT_BYTES - OTHER_VARIABLES_BYTES
    if len(longest) > room:
        raise ProgramError(
            f"services: the names of {len(services)} take {len(longest)} bytes of the engine's environment, and Lambda"
            f" leaves {room}; deploy fewer services in one stack, or give them shorter names"
        )
    quarantines = {"DEAD_LETTERS_URL": dead_letters_url, "FAILED_RECORDS_URL": failed_records_url}
    return {
        "TABLE_NAME": args["table_name"],
        "QUEUE_URL": queue_url,
        **{name: url for name, url in quarantines.items() if url is not None},
        "GRACE_S": str(args["grace_s"]),
        "LEASE_SLACK_S": str(args["lease_slack_s"]),
        "SERVICES": pulumi.Output.json_dumps(dict(sorted(services.items()))),
        "POWERTOOLS_SERVICE_NAME": module,
        "POWERTOOLS_METRICS_NAMESPACE": metrics_namespace(),
        "POWERTOOLS_LOG_LEVEL": args["defaults"]["log_level"],
    }
