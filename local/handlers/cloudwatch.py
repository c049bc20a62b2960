"""CloudWatch alarms and dashboards. They can be looked at here; what functions print does not become metrics."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from local.handlers.base import Handler, Inputs, Outputs, Scope, pick, tag_list
from local.pulumi_runtime import Registered

_ALARM = {
    "actionsEnabled": "ActionsEnabled",
    "alarmActions": "AlarmActions",
    "alarmDescription": "AlarmDescription",
    "comparisonOperator": "ComparisonOperator",
    "datapointsToAlarm": "DatapointsToAlarm",
    "evaluationPeriods": "EvaluationPeriods",
    "extendedStatistic": "ExtendedStatistic",
    "insufficientDataActions": "InsufficientDataActions",
    "metricName": "MetricName",
    "name": "AlarmName",
    "namespace": "Namespace",
    "okActions": "OKActions",
    "period": "Period",
    "statistic": "Statistic",
    "threshold": "Threshold",
    "treatMissingData": "TreatMissingData",
    "unit": "Unit",
}
_QUERY = {"id": "Id", "expression": "Expression", "label": "Label", "period": "Period", "returnData": "ReturnData"}


class MetricAlarm(Handler):
    """An alarm. The emulator keeps all of it but the metrics of an expression, which it would not evaluate."""

    type = "aws:cloudwatch/metricAlarm:MetricAlarm"
    name_limit = 255

    def create(self, scope: Scope, inputs: Inputs) -> Registered:
        scope.aws.client("cloudwatch").put_metric_alarm(**_alarm(inputs), **tag_list(inputs))
        arn = scope.aws.arn("cloudwatch", f"alarm:{inputs['name']}")
        return Registered(inputs["name"], {"arn": arn, "name": inputs["name"]})

    def update(self, scope: Scope, current: Registered, inputs: Inputs, changed: Collection[str]) -> Outputs:  # noqa: ARG002
        scope.aws.client("cloudwatch").put_metric_alarm(**_alarm(inputs))  # which replaces what it was
        return dict(current.outputs)

    def delete(self, scope: Scope, current: Registered) -> None:
        scope.aws.client("cloudwatch").delete_alarms(AlarmNames=[current.id])


class Dashboard(Handler):
    type = "aws:cloudwatch/dashboard:Dashboard"
    name_property = "dashboardName"
    name_limit = 255
    replacing = ("dashboardName",)

    def create(self, scope: Scope, inputs: Inputs) -> Registered:
        name = inputs["dashboardName"]
        _put(scope, inputs)
        arn = f"arn:{scope.aws.partition}:cloudwatch::{scope.aws.account}:dashboard/{name}"
        return Registered(name, {"dashboardArn": arn, "dashboardName": name})

    def update(self, scope: Scope, current: Registered, inputs: Inputs, changed: Collection[str]) -> Outputs:  # noqa: ARG002
        _put(scope, inputs)
        return dict(current.outputs)

    def delete(self, scope: Scope, current: Registered) -> None:
        scope.aws.client("cloudwatch").delete_dashboards(DashboardNames=[current.id])


def _put(scope: Scope, inputs: Inputs) -> None:
    scope.aws.client("cloudwatch").put_dashboard(
        DashboardName=inputs["dashboardName"], DashboardBody=inputs["dashboardBody"]
    )


def _alarm(inputs: Inputs) -> dict[str, Any]:
    queries = [_query(query) for query in inputs.get("metricQueries") or []]
    return {
        **pick(inputs, _ALARM),
        **_dimensions(inputs),
        **({"Metrics": queries} if queries else {}),
    }


def _query(query: Mapping[str, Any]) -> dict[str, Any]:
    metric = query.get("metric")
    if not metric:
        return pick(query, _QUERY)
    named = {**pick(metric, {"namespace": "Namespace", "metricName": "MetricName"}), **_dimensions(metric)}
    stat = {"Metric": named, **pick(metric, {"period": "Period", "stat": "Stat", "unit": "Unit"})}
    return {**pick(query, _QUERY), "MetricStat": stat}


def _dimensions(of: Mapping[str, Any]) -> dict[str, Any]:
    found = of.get("dimensions") or {}
    return {"Dimensions": [{"Name": name, "Value": value} for name, value in found.items()]} if found else {}
