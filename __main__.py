"""The whole system: the task services, the workflows that they do, and the engine that runs them."""

import pulumi
from pulumi_aws.get_caller_identity import get_caller_identity_output
from pulumi_aws.get_region import get_region_output

from components.engine import EngineArgs
from components.monitoring import Monitoring
from components.orchestration_table import OrchestrationTable
from components.orchestrator import Orchestrator
from components.registered_flows import RegisteredFlows, RegisteredFlowsArgs
from components.settings import Settings
from components.state_machines import flow_prefix
from components.step_functions_flow import StepFunctionsFlow
from components.sweeper import Sweeper
from components.task_service import TaskService
from components.worker_pool import WorkerPool
from orchestration.workflow import Task, Workflow

settings = Settings.from_config(pulumi.Config())
defaults = settings.function_defaults(get_caller_identity_output().account_id)

# A service is a folder in services/, and its name here.
names = ["a", "b1", "b2", "b3", "c", *(["probe"] if settings.probe_service else [])]
services = {
    n: TaskService(f"task-{n}", {"folder": f"services/{n}", "image_uri": image, "defaults": defaults})
    for n, image in settings.images_of(names).items()
}
arns = {n: service.function_arn for n, service in services.items()}

abc = {
    "A": Task("a"),
    "B1": Task("b1", after=["A"]),
    "B2": Task("b2", after=["A"]),
    "B3": Task("b3", after=["A"]),
    "C": Task("c", after=["B1", "B2", "B3"]),
}
workflows = [Workflow("abc", abc)]

table = OrchestrationTable("table", {"protect": settings.protect_data})
engine: EngineArgs = {
    "table_name": table.table_name,
    "table_arn": table.table_arn,
    "services": {n: service.function_name for n, service in services.items()},
    "grace_s": settings.grace_s,
    "lease_slack_s": settings.lease_slack_s,
    "defaults": defaults,
}
pool = WorkerPool("worker", {**engine, "function_arns": arns, "max_workers": settings.max_workers})

of_flows: RegisteredFlowsArgs = {"function_arns": arns, "defaults": defaults}
flows = {
    w.name: StepFunctionsFlow(
        f"flow-{w.name}", {**of_flows, "workflow": w.to_json(), "type": settings.flow_type}
    ).state_machine_arn
    for w in (workflows if settings.flows else [])
}
registered = RegisteredFlows("registered-flows", of_flows) if settings.register_flows else None

orchestrator = Orchestrator(
    "orchestrator",
    {
        **engine,
        "workflows": [w.to_json() for w in workflows],
        "stream_arn": table.stream_arn,
        "queue_url": pool.queue_url,
        "queue_arn": pool.queue_arn,
        "dead_letters_url": pool.dead_letters_url,
        "dead_letters_arn": pool.dead_letters_arn,
        "flow_prefix": flow_prefix(),
        "flow_type": settings.flow_type,
        "flow_arns": flows,
        "registered_flows": registered.registration if registered else None,
    },
)
sweeper = Sweeper("sweeper", {**engine, "queue_url": pool.queue_url, "queue_arn": pool.queue_arn})

if settings.monitoring:
    monitoring = Monitoring(
        "monitoring",
        {
            "table_name": table.table_name,
            "orchestrator_arn": orchestrator.orchestrator_arn,
            "worker_arn": pool.worker_arn,
            "sweeper_arn": sweeper.sweeper_arn,
            "task_function_arns": arns,
            "queue_url": pool.queue_url,
            "dead_letters_url": pool.dead_letters_url,
            "failed_records_url": orchestrator.failed_records_url,
            "state_machine_arns": flows,
            "thresholds": settings.thresholds,
            "email": settings.alarm_email,
            "account_id": defaults["account_id"],
        },
    )
    pulumi.export("alarm_topic_arn", monitoring.topic_arn)
    pulumi.export("dashboard_name", monitoring.dashboard_name)

pulumi.export("table_name", table.table_name)
pulumi.export("table_stream_arn", table.stream_arn)
pulumi.export("orchestrator_arn", orchestrator.orchestrator_arn)
pulumi.export("worker_arn", pool.worker_arn)
pulumi.export("worker_queue_url", pool.queue_url)
pulumi.export("sweeper_arn", sweeper.sweeper_arn)
pulumi.export("dead_letters_url", pool.dead_letters_url)
pulumi.export("failed_records_url", orchestrator.failed_records_url)
pulumi.export("task_function_arns", arns)
pulumi.export("state_machine_arns", flows)
pulumi.export("region", get_region_output().region)
