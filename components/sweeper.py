"""Sweeper: the function that looks every minute at the runs that are due, and the schedule that invokes it."""

import pulumi
import pulumi_aws.iam as iam
import pulumi_aws.lambda_ as lambda_
import pulumi_aws.scheduler as scheduler

from components import policies
from components.engine import EngineArgs, engine_code, engine_defaults, engine_environment
from components.functions import make_function

MEMORY_MB = 512
TIMEOUT_S = 300
EVERY = "rate(1 minute)"
PERIOD_S = 60


class SweeperArgs(EngineArgs):
    queue_url: pulumi.Input[str]
    """The queue of READY tasks."""

    queue_arn: pulumi.Input[str]


class Sweeper(pulumi.ComponentResource):
    """The function and its role, and the schedule with a group and a role of its own.

    Two sweeps at once are harmless, so that nothing keeps a slow one and the next apart.
    """

    sweeper_arn: pulumi.Output[str]

    def __init__(self, name: str, args: SweeperArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("orchestra:components:Sweeper", name, None, opts)
        parts = make_function(
            name,
            parent=self,
            defaults=engine_defaults(args),
            description="Orchestra: finds runs that got stuck, and repairs them",
            code=engine_code("sweeper"),
            memory_mb=MEMORY_MB,
            timeout_s=TIMEOUT_S,
            environment=engine_environment(args, "sweeper", queue_url=args["queue_url"]),
            statements=pulumi.Output.all(table_arn=args["table_arn"], worker_queue_arn=args["queue_arn"]).apply(
                lambda known: policies.sweeper(**known)
            ),
        )
        self.log_group, self.role, self.function = parts.log_group, parts.role, parts.function
        # The schedule invokes it as an event, which Lambda itself would try again: the next minute does that too.
        lambda_.FunctionEventInvokeConfig(
            name,
            function_name=self.function.name,
            maximum_retry_attempts=0,
            maximum_event_age_in_seconds=PERIOD_S,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.schedule = self._schedule(name, args["defaults"]["account_id"])
        self.sweeper_arn = self.function.arn
        self.register_outputs({"sweeper_arn": self.sweeper_arn})

    def _schedule(self, name: str, account_id: pulumi.Input[str]) -> scheduler.Schedule:
        child = pulumi.ResourceOptions(parent=self)
        group = scheduler.ScheduleGroup(name, opts=child)
        trust = pulumi.Output.all(account_id=account_id, group_arn=group.arn).apply(
            lambda known: policies.scheduler_trust(**known)
        )
        role = iam.Role(f"{name}-schedule", assume_role_policy=pulumi.Output.json_dumps(trust), opts=child)
        document = self.function.arn.apply(policies.invocation)
        policy = iam.RolePolicy(
            f"{name}-schedule", role=role.name, policy=pulumi.Output.json_dumps(document), opts=child
        )
        return scheduler.Schedule(
            name,
            description="Orchestra: sweeps",
            group_name=group.name,
            schedule_expression=EVERY,
            flexible_time_window={"mode": "OFF"},
            target={
                "arn": self.function.arn,
                "role_arn": role.arn,
                "retry_policy": {"maximum_retry_attempts": 0, "maximum_event_age_in_seconds": PERIOD_S},
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
