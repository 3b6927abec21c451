"""Makes alarms of what is watched, and the topic that they tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from awacs import sns as sns_actions
from awacs.aws import (
    Allow,
    Bool,
    Condition,
    Deny,
    PolicyDocument,
    Principal,
    Statement,
    StringEquals,
)
from troposphere import AccountId, Ref, Template
from troposphere.awslambda import Function
from troposphere.cloudwatch import (
    Alarm,
    Metric,
    MetricDataQuery,
    MetricDimension,
    MetricStat,
)
from troposphere.sns import SubscriptionResource, Topic, TopicPolicy

from template_gen.conditions import Conditions
from template_gen.form import Text
from template_gen.import_pipeline import ImportPipeline
from template_gen.network import Network
from template_gen.parameters import Parameters
from template_gen.queues import Queues
from template_gen.service import IngestService
from template_gen.watches import FIVE_MINUTES_S, Watch, all_watches

ERROR_RATE_PERCENT = 5


@dataclass(frozen=True, slots=True)
class Alarms:
    """The alarms, the most urgent first, and their topic."""

    alarms: tuple[Alarm, ...]
    topic: Topic


def add_alarms(
    template: Template,
    p: Parameters,
    c: Conditions,
    *,
    network: Network,
    service: IngestService,
    pipeline: ImportPipeline,
    queues: Queues,
) -> Alarms:
    """Add the topic and every alarm."""
    topic = _add_topic(template, p, c)
    watches = all_watches(network, service, queues)
    alarms = [_add_alarm(template, topic, watch) for watch in watches]
    alarms += [_add_error_rate(template, topic, made.function) for made in pipeline.all()]
    return Alarms(tuple(alarms), topic)


def _add_alarm(template: Template, topic: Topic, watch: Watch) -> Alarm:
    return template.add_resource(
        Alarm(
            watch.title,
            **_told(topic, watch.meaning),
            Namespace=watch.namespace,
            MetricName=watch.metric,
            Dimensions=_dimensions(watch.dimensions),
            Statistic=watch.statistic,
            ComparisonOperator=watch.comparison,
            Threshold=watch.threshold,
            Period=watch.period_s,
            EvaluationPeriods=watch.periods,
            TreatMissingData=watch.missing,
        )
    )


def _add_error_rate(template: Template, topic: Topic, function: Function) -> Alarm:
    """Add the alarm on the share of a function's invocations that failed.

    One a function: busy ones would hide the failures of the others in a common rate, and an alarm's
    expression takes ten metrics at most (CloudWatch service quotas), which five functions use up.
    """
    queries = [
        MetricDataQuery(
            Id=metric.lower(),
            ReturnData=False,
            MetricStat=MetricStat(
                Metric=Metric(
                    Namespace="AWS/Lambda",
                    MetricName=metric,
                    Dimensions=_dimensions({"FunctionName": Ref(function)}),
                ),
                Period=FIVE_MINUTES_S,
                Stat="Sum",
            ),
        )
        for metric in ("Errors", "Invocations")
    ]
    queries.append(
        # No invocation is no data, and that is no alarm.
        MetricDataQuery(Id="rate", Label="Errors (%)", Expression="100*errors/invocations")
    )
    meaning = Text(
        f"More than {ERROR_RATE_PERCENT} % of {function.title}'s invocations failed: look at its log. Work "
        "that failed is repeated.",
        f"{function.title}関数のエラー率が{ERROR_RATE_PERCENT}%を超えました。ログを確認してください。失敗した処理は再試行されます。",
    )
    return template.add_resource(
        Alarm(
            f"{function.title}ErrorRateAlarm",
            **_told(topic, meaning),
            Metrics=queries,
            ComparisonOperator="GreaterThanThreshold",
            Threshold=ERROR_RATE_PERCENT,
            EvaluationPeriods=1,
            TreatMissingData="notBreaching",
        )
    )


def _told(topic: Topic, meaning: Text) -> dict[str, Any]:
    return {
        "AlarmDescription": str(meaning),
        "AlarmActions": [Ref(topic)],
        "OKActions": [Ref(topic)],
    }


def _dimensions(values: dict[str, Any]) -> list[MetricDimension]:
    return [MetricDimension(Name=name, Value=value) for name, value in values.items()]


def _add_topic(template: Template, p: Parameters, c: Conditions) -> Topic:
    # Not encrypted by a key: CloudWatch could not publish under the managed one, and an alarm names no
    # patient.
    topic = template.add_resource(Topic("AlarmTopic"))
    template.add_resource(
        TopicPolicy(
            "AlarmTopicPolicy",
            Topics=[Ref(topic)],
            PolicyDocument=PolicyDocument(
                Version="2012-10-17",
                Statement=[
                    Statement(
                        Effect=Allow,
                        Principal=Principal("Service", "cloudwatch.amazonaws.com"),
                        Action=[sns_actions.Publish],
                        Resource=[Ref(topic)],
                        Condition=Condition(StringEquals("aws:SourceAccount", AccountId)),
                    ),
                    Statement(
                        Effect=Deny,
                        Principal=Principal("*"),
                        Action=[sns_actions.Publish],
                        Resource=[Ref(topic)],
                        Condition=Condition(Bool("aws:SecureTransport", "false")),
                    ),
                ],
            ),
        )
    )
    template.add_resource(
        SubscriptionResource(
            "AlarmEmailSubscription",
            Condition=c.has_alarm_email,
            TopicArn=Ref(topic),
            Protocol="email",
            Endpoint=Ref(p.alarm_email),
        )
    )
    return topic
