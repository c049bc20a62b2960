"""Monitoring: the alarms, the topic that they ring on, and the dashboard."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

import pulumi
import pulumi_aws.cloudwatch as cloudwatch
import pulumi_aws.sns as sns

from components import dashboard, policies
from components.alarms import Alarm, Source, System, alarms
from components.engine import metrics_namespace
from components.settings import AlarmThresholds

# Source: docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html, "DashboardName" (2026).
NOT_IN_A_DASHBOARD_NAME = re.compile(r"[^A-Za-z0-9_-]")


class MonitoringArgs(TypedDict):
    table_name: pulumi.Input[str]

    orchestrator_arn: pulumi.Input[str]
    worker_arn: pulumi.Input[str]
    sweeper_arn: pulumi.Input[str]

    task_function_arns: Mapping[str, pulumi.Input[str]]
    """The ARN of each service's function."""

    queue_url: pulumi.Input[str]
    """The queue of READY tasks."""

    dead_letters_url: pulumi.Input[str]
    failed_records_url: pulumi.Input[str]

    state_machine_arns: Mapping[str, pulumi.Input[str]]
    """The ARN of the state machine of each declared workflow that has one."""

    thresholds: AlarmThresholds

    email: NotRequired[str]
    """Whom the alarms are sent to. SNS asks them first whether they want that."""

    account_id: pulumi.Input[str]


class Monitoring(pulumi.ComponentResource):
    """The topic with its policy and its subscription, an alarm for whatever may go wrong, and the dashboard."""

    topic_arn: pulumi.Output[str]
    dashboard_name: pulumi.Output[str]

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("orchestra:components:Monitoring", name, None, opts)
        system = _system(args)
        prefix = f"{pulumi.get_project()}-{pulumi.get_stack()}"
        self.topic = self._topic(name, args)
        self.alarms = [
            self._alarm(f"{name}-{alarm.name}", f"{prefix}-{alarm.name}", alarm)
            for alarm in alarms(system, args["thresholds"])
        ]
        region = pulumi.Output.from_input(args["orchestrator_arn"]).apply(lambda arn: arn.split(":")[3])
        self.dashboard = cloudwatch.Dashboard(
            name,
            dashboard_name=NOT_IN_A_DASHBOARD_NAME.sub("-", prefix),
            dashboard_body=pulumi.Output.json_dumps(dashboard.body(system, region)),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.topic_arn = self.topic.arn
        self.dashboard_name = self.dashboard.dashboard_name
        self.register_outputs({"topic_arn": self.topic_arn, "dashboard_name": self.dashboard_name})

    def _topic(self, name: str, args: MonitoringArgs) -> sns.Topic:
        """Return the topic. It is not encrypted at rest, and has no payloads: CloudWatch may not use SNS's own key.

        Source: repost.aws/knowledge-center/cloudwatch-configure-alarm-sns (2026).
        """
        child = pulumi.ResourceOptions(parent=self)
        topic = sns.Topic(name, opts=child)
        policy = pulumi.Output.all(topic_arn=topic.arn, account_id=args["account_id"]).apply(
            lambda known: policies.alarm_topic(**known)
        )
        sns.TopicPolicy(name, arn=topic.arn, policy=pulumi.Output.json_dumps(policy), opts=child)
        if email := args.get("email"):
            sns.TopicSubscription(name, topic=topic.arn, protocol="email", endpoint=email, opts=child)
        return topic

    def _alarm(self, name: str, shown: str, alarm: Alarm) -> cloudwatch.MetricAlarm:
        """Return the alarm. It is called `shown` in the mails, which have to tell one stack from another."""
        return cloudwatch.MetricAlarm(
            name,
            name=shown,
            alarm_description=alarm.description,
            comparison_operator="LessThanThreshold" if alarm.below else "GreaterThanThreshold",
            threshold=alarm.limit,
            evaluation_periods=alarm.periods,
            treat_missing_data=alarm.missing,
            alarm_actions=[self.topic.arn],
            ok_actions=[self.topic.arn],
            **_watched(alarm.sources, alarm.period_s),
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),  # there cannot be two of one name
        )


def _system(args: MonitoringArgs) -> System:
    return System(
        namespace=metrics_namespace(),
        functions={
            "orchestrator": _last(args["orchestrator_arn"]),
            "worker": _last(args["worker_arn"]),
            "sweeper": _last(args["sweeper_arn"]),
        },
        services={service: _last(arn) for service, arn in sorted(args["task_function_arns"].items())},
        table=args["table_name"],
        queue=_last(args["queue_url"]),
        dead_letters={
            "dead-letters": _last(args["dead_letters_url"]),
            "failed-records": _last(args["failed_records_url"]),
        },
        machines=dict(sorted(args["state_machine_arns"].items())),
    )


def _last(arn_or_url: pulumi.Input[str]) -> pulumi.Output[str]:
    """Return the name of a function or a queue, with which its ARN or URL ends."""
    return pulumi.Output.from_input(arn_or_url).apply(lambda known: re.split("[:/]", known)[-1])


def _watched(sources: Sequence[Source], period_s: int) -> dict[str, Any]:
    """Return the arguments of a MetricAlarm that say what it watches: one metric, or the sum of several.

    Each of several may have no data for a period, and counts as 0 then, lest the sum be missing too.
    Source: docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html, FILL (2026).
    """
    if len(sources) == 1:
        return {**_metric(sources[0]), "period": period_s}
    ids = [f"m{number}" for number, _ in enumerate(sources)]
    total = ", ".join(f"FILL({each}, 0)" for each in ids)
    return {
        "metric_queries": [
            {"id": "total", "expression": f"SUM([{total}])", "label": sources[0].name, "return_data": True},
            *(
                {"id": each, "metric": {**_query(source), "period": period_s}}
                for each, source in zip(ids, sources, strict=True)
            ),
        ]
    }


def _metric(source: Source) -> dict[str, Any]:
    return {
        "namespace": source.namespace,
        "metric_name": source.name,
        "dimensions": source.dimensions or None,
        "statistic": source.statistic,
    }


def _query(source: Source) -> dict[str, Any]:
    return {
        "namespace": source.namespace,
        "metric_name": source.name,
        "dimensions": source.dimensions or None,
        "stat": source.statistic,
    }
