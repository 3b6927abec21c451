"""Functions, alarms, dashboard, logs, outputs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contract.metrics import NAMESPACE, Metric
from importer.domain.messages import JOB_EVENT_SOURCE
from template_gen.product import read_release
from tests.template_gen.rendering import document, of_type, policy_of, render, rendered

ALARM = "AWS::CloudWatch::Alarm"
FUNCTION = "AWS::Lambda::Function"


def _alarm(title: str) -> dict[str, Any]:
    found: dict[str, Any] = render()[title]["Properties"]
    return found


def test_no_function_reserves_concurrency() -> None:
    """It fails in accounts with small Lambda quotas."""
    functions = of_type(document()["Resources"], FUNCTION)

    assert not any("ReservedConcurrentExecutions" in f for f in functions.values())


def test_event_source_mappings_are_limited_and_report_single_failures() -> None:
    """MaximumConcurrency 2, the least there is."""
    mappings = of_type(render(), "AWS::Lambda::EventSourceMapping")

    assert {
        (m["EventSourceArn"], m["FunctionName"]): m["ScalingConfig"]["MaximumConcurrency"]
        for m in mappings.values()
    } == {("ImportQueue.Arn", "StartImport"): 2, ("OutcomeQueue.Arn", "RecordOutcome"): 2}
    assert all(m["FunctionResponseTypes"] == ["ReportBatchItemFailures"] for m in mappings.values())


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-2"])
def test_code_comes_from_the_regions_own_bucket(region: str) -> None:
    """A function's code must lie in its Region, under a key that never changes."""
    for function in of_type(render(region), FUNCTION).values():
        assert function["Code"] == {
            "S3Bucket": f"storescp-assets-{region}",
            "S3Key": f"storescp/{read_release().version}/importer.zip",
        }
        assert function["Runtime"] == "python3.13"


def test_code_may_come_from_the_customers_own_buckets() -> None:
    """Override parameters stand above the release."""
    resources = render(AssetBucketPrefix="mine", AssetKeyPrefix="x/2.0.0/")

    assert resources["Sweep"]["Properties"]["Code"] == {
        "S3Bucket": "mine-us-east-1",
        "S3Key": "x/2.0.0/importer.zip",
    }


def test_ended_jobs_of_this_data_store_reach_the_outcome_queue() -> None:
    """By a rule with a queue as target, and a dead-letter queue for what is not delivered."""
    rule = render()["OutcomeRule"]["Properties"]
    (target,) = rule["Targets"]

    assert rule["EventPattern"] == {
        "source": [JOB_EVENT_SOURCE],
        "detail-type": ["Import Job Completed", "Import Job Failed"],
        "detail": {"datastoreId": ["Datastore.DatastoreId"]},
    }
    assert target["Arn"] == "OutcomeQueue.Arn"
    assert target["DeadLetterConfig"] == {"Arn": "OutcomeDeadLetterQueue.Arn"}


@pytest.mark.parametrize("queue", ["OutcomeQueue", "OutcomeDeadLetterQueue"])
def test_the_rule_and_no_other_may_send(queue: str) -> None:
    """Both queues let EventBridge in for this rule."""
    (statement,) = policy_of(render(), f"{queue}Policy")[1:]

    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": "OutcomeRule.Arn"}}


def test_sweep_runs_every_five_minutes_and_ends_before_the_next() -> None:
    """And is not repeated: the next run does the same work."""
    resources = render()

    assert resources["SweepSchedule"]["Properties"]["ScheduleExpression"] == "rate(5 minutes)"
    assert resources["SweepSchedule"]["Properties"]["Targets"][0]["Arn"] == "Sweep.Arn"
    assert resources["Sweep"]["Properties"]["Timeout"] <= 300
    assert resources["SweepInvokeConfig"]["Properties"]["MaximumRetryAttempts"] == 0


def test_every_log_group_has_a_retention() -> None:
    """LogRetentionDays is all of theirs."""
    groups = of_type(render(LogRetentionDays="365"), "AWS::Logs::LogGroup")

    assert {group["RetentionInDays"] for group in groups.values()} == {"365"}
    assert len(groups) == 7


@pytest.mark.parametrize(
    ("title", "metric"),
    [("HighCPUAlarm", "CPUUtilization"), ("HighMemoryAlarm", "MemoryUtilization")],
)
def test_the_guides_alarms_on_load(title: str, metric: str) -> None:
    """ECS CPU使用率 > 80%, ECS メモリ使用率 > 80%."""
    alarm = _alarm(title)

    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/ECS", metric)
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 80)


def test_the_guides_alarm_on_function_errors() -> None:
    """Lambda エラー率 > 5%: one for each function at work; Preflight runs before there is an alarm."""
    resources = render()
    rates = {t: a for t, a in of_type(resources, ALARM).items() if "Metrics" in a}

    assert rates.keys() == {
        f"{title}ErrorRateAlarm"
        for title in of_type(resources, FUNCTION).keys() - {"PreflightFunction"}
    }
    for title, alarm in rates.items():
        errors, invocations, rate = alarm["Metrics"]
        assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 5)
        assert rate["Expression"] == f"100*{errors['Id']}/{invocations['Id']}"
        for query, metric in ((errors, "Errors"), (invocations, "Invocations")):
            assert query["ReturnData"] is False
            assert query["MetricStat"]["Metric"] == {
                "Namespace": "AWS/Lambda",
                "MetricName": metric,
                "Dimensions": [
                    {"Name": "FunctionName", "Value": title.removesuffix("ErrorRateAlarm")}
                ],
            }


def test_no_alarm_has_more_metrics_than_cloudwatch_takes() -> None:
    """Ten in an expression, one of them returned; a day at most (CloudWatch service quotas)."""
    for title, alarm in of_type(render(), ALARM).items():
        metrics = alarm.get("Metrics", ())
        periods = [q["MetricStat"]["Period"] for q in metrics if "MetricStat" in q]

        assert len(periods) <= 10, title
        assert sum(query.get("ReturnData", True) for query in metrics) in (0, 1), title
        period = alarm.get("Period") or max(periods)
        assert period * alarm["EvaluationPeriods"] <= 86_400, title


@pytest.mark.parametrize(
    ("title", "metric"),
    [
        ("ImportErrorAlarm", Metric.IMPORT_JOBS_FAILED),
        ("QuarantineGrewAlarm", Metric.INSTANCES_QUARANTINED),
        ("InstancesInTwoStudiesAlarm", Metric.INSTANCES_IN_TWO_STUDIES),
        ("FullProofLateAlarm", Metric.FULL_PROOF_AGE),
        ("UnaccountedInstancesAlarm", Metric.UNACCOUNTED_INSTANCES),
        ("SweepSilentAlarm", Metric.UNACCOUNTED_INSTANCES),
        ("OldestUnimportedAlarm", Metric.OLDEST_UNIMPORTED_AGE),
        ("FailedStoresAlarm", Metric.FAILED_STORES),
        ("RefusedInstancesAlarm", Metric.REFUSED_INSTANCES),
    ],
)
def test_alarms_on_our_metrics_name_them_as_they_are_written(title: str, metric: Metric) -> None:
    """HealthImaging インポートエラー, and what the invariants need."""
    alarm = _alarm(title)

    assert (alarm["Namespace"], alarm["MetricName"]) == (NAMESPACE, metric.value)
    assert alarm["Dimensions"] == [{"Name": "Stack", "Value": "my-cloud-radar-stack"}]


def test_every_dead_letter_queue_has_an_alarm() -> None:
    """One message in it is enough."""
    queues = {
        queue
        for queue, properties in of_type(render(), "AWS::SQS::Queue").items()
        if "RedrivePolicy" not in properties
    }
    watched = {
        alarm["Dimensions"][0]["Value"].removesuffix(".QueueName")
        for alarm in of_type(render(), ALARM).values()
        if alarm.get("Namespace") == "AWS/SQS" and alarm["Threshold"] == 0
    }

    assert queues == watched


def test_no_healthy_server_is_an_alarm_also_without_data() -> None:
    """A load balancer without targets reports nothing."""
    alarm = _alarm("NoHealthyServerAlarm")

    assert (alarm["Statistic"], alarm["Threshold"]) == ("Maximum", 1)
    assert alarm["TreatMissingData"] == "breaching"


def test_every_alarm_tells_the_topic_in_two_languages() -> None:
    """Raised and cleared."""
    for title, alarm in of_type(render(), ALARM).items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == ["AlarmTopic"], title
        english, _, japanese = alarm["AlarmDescription"].partition(" / ")
        assert english.isascii(), title
        assert japanese, title


def test_the_topic_tells_who_asked() -> None:
    """An e-mail address is optional."""
    subscribed = render(AlarmEmail="it@hospital.example.org")["AlarmEmailSubscription"]

    assert subscribed["Properties"]["Endpoint"] == "it@hospital.example.org"
    assert "AlarmEmailSubscription" not in render()


def _widgets() -> list[dict[str, Any]]:
    body = render()["Dashboard"]["Properties"]["DashboardBody"]
    widgets: list[dict[str, Any]] = json.loads(body)["widgets"]
    return widgets


@pytest.mark.parametrize(
    ("namespace", "metric"),
    [
        ("AWS/ECS", "CPUUtilization"),
        ("AWS/ECS", "MemoryUtilization"),
        ("AWS/NetworkELB", "ActiveFlowCount"),
        ("AWS/Lambda", "Invocations"),
        ("AWS/Lambda", "Errors"),
        (NAMESPACE, Metric.INSTANCES_STORED.value),
        (NAMESPACE, Metric.OLDEST_UNIMPORTED_AGE.value),
    ],
)
def test_the_dashboard_shows_the_guides_metrics(namespace: str, metric: str) -> None:
    """主要メトリクス."""
    shown = {(m[0], m[1]) for w in _widgets() for m in w["properties"].get("metrics", ())}

    assert (namespace, metric) in shown


def test_the_dashboard_shows_every_alarm_and_the_console() -> None:
    """Alarms on top, then where every image is."""
    alarms, console = _widgets()[:2]

    assert set(alarms["properties"]["alarms"]) == {
        f"{title}.Arn" for title in of_type(render(), ALARM)
    }
    assert console["type"] == "custom"
    assert console["properties"]["endpoint"] == "View.Arn"


def test_no_widget_covers_another() -> None:
    """24 columns."""
    cells = [
        (x, y)
        for w in _widgets()
        for x in range(w["x"], w["x"] + w["width"])
        for y in range(w["y"], w["y"] + w["height"])
    ]

    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_the_guides_outputs() -> None:
    """接続情報の取得."""
    outputs = rendered(SCPPort="104", SCPAETitle="MYHOSPITAL")["Outputs"]

    assert list(outputs)[:3] == ["NetworkLoadBalancerDNS", "DICOMPort", "DICOMAETitle"]
    assert outputs["NetworkLoadBalancerDNS"]["Value"] == "PacsNLB.DNSName"
    assert outputs["DICOMPort"]["Value"] == "104"
    assert outputs["DICOMAETitle"]["Value"] == "MYHOSPITAL"


def test_fixed_addresses_are_in_the_outputs() -> None:
    """Many devices take only an address."""
    assert "LoadBalancerAddress1" in rendered(ElasticIPs="true")["Outputs"]
    assert "LoadBalancerAddress1" not in rendered()["Outputs"]


def test_outputs_lead_to_where_things_are() -> None:
    """Console and alarms on the dashboard, the data stores, and the buckets."""
    outputs = rendered("eu-west-1")["Outputs"]
    here = "https://eu-west-1.console.aws.amazon.com"

    assert {name: o["Value"] for name, o in outputs.items() if name.endswith("URL")} == {
        "DashboardURL": f"{here}/cloudwatch/home?region=eu-west-1#dashboards/dashboard/Dashboard",
        "HealthImagingURL": f"{here}/medical-imaging/home?region=eu-west-1#/dataStores",
        "LandingBucketURL": f"{here}/s3/buckets/LandingBucket?region=eu-west-1",
        "ResultsBucketURL": f"{here}/s3/buckets/ResultsBucket?region=eu-west-1",
    }
