"""The stack's dashboard, in the order in which an operator asks: is it up, does it keep up, is anything stuck."""

from __future__ import annotations

import json
from typing import Any

from troposphere import AWSObject, Sub, Template
from troposphere.cloudwatch import Dashboard

from contract.metrics import DIMENSION, NAMESPACE, Metric
from template_gen.alarms import Alarms
from template_gen.form import Text
from template_gen.import_pipeline import ImportPipeline
from template_gen.network import Network
from template_gen.service import IngestService

_WIDTH = 24
_THIRD = 8
_HEIGHT = 6
_ALARMS_HEIGHT = 3
_CONSOLE_HEIGHT = 14
_PERIOD_S = 60


def add_dashboard(
    template: Template,
    *,
    alarms: Alarms,
    network: Network,
    service: IngestService,
    pipeline: ImportPipeline,
) -> Dashboard:
    """Add the dashboard; CloudFormation names it after the stack."""
    rows: list[tuple[int, list[dict[str, Any]]]] = [
        (_ALARMS_HEIGHT, [_alarm_list(alarms)]),
        (_CONSOLE_HEIGHT, [_console(pipeline)]),
        (_HEIGHT, _servers(network, service)),
        (_HEIGHT, _receiving()),
        (_HEIGHT, _importing(pipeline)),
    ]
    body = json.dumps({"widgets": _laid_out(rows)}, ensure_ascii=False)
    return template.add_resource(Dashboard("Dashboard", DashboardBody=Sub(body)))


def _laid_out(rows: list[tuple[int, list[dict[str, Any]]]]) -> list[dict[str, Any]]:
    widgets = []
    y = 0
    for height, row in rows:
        width = _WIDTH // len(row)
        for n, widget in enumerate(row):
            widgets.append({**widget, "x": n * width, "y": y, "width": width, "height": height})
        y += height
    return widgets


def _alarm_list(alarms: Alarms) -> dict[str, Any]:
    return {
        "type": "alarm",
        "properties": {
            "title": str(Text("Alarms", "アラーム")),
            "alarms": [_att(alarm, "Arn") for alarm in alarms.alarms],
        },
    }


def _console(pipeline: ImportPipeline) -> dict[str, Any]:
    return {
        "type": "custom",
        "properties": {
            "title": str(Text("Where every image is", "全画像の所在")),
            "endpoint": _att(pipeline.view.function, "Arn"),
            "updateOn": {"refresh": True, "resize": False, "timeRange": False},
        },
    }


def _servers(network: Network, service: IngestService) -> list[dict[str, Any]]:
    of_service = [
        "ClusterName",
        _ref(service.cluster),
        "ServiceName",
        _att(service.service, "Name"),
    ]
    balancer = ["LoadBalancer", _att(network.load_balancer, "LoadBalancerFullName")]
    targets = ["TargetGroup", _att(network.target_group, "TargetGroupFullName")]
    return [
        _graph(
            Text("ECS CPU and memory (%)", "ECS CPU・メモリ使用率（%）"),
            [
                ["AWS/ECS", "CPUUtilization", *of_service],
                ["AWS/ECS", "MemoryUtilization", *of_service],
            ],
            stat="Average",
        ),
        _graph(
            Text("NLB active connections", "NLBアクティブ接続数"),
            [["AWS/NetworkELB", "ActiveFlowCount", *balancer]],
            stat="Average",
        ),
        _graph(
            Text("Healthy servers", "正常なサーバー数"),
            [["AWS/NetworkELB", "HealthyHostCount", *targets, *balancer]],
            stat="Maximum",
        ),
    ]


def _receiving() -> list[dict[str, Any]]:
    return [
        _graph(
            Text("Images received", "受信画像数"),
            _own(Metric.INSTANCES_STORED, Metric.FAILED_STORES, Metric.REFUSED_INSTANCES),
        ),
        _graph(
            Text("Associations", "アソシエーション"),
            _own(
                Metric.ASSOCIATIONS_OPEN, Metric.ASSOCIATIONS_REJECTED, Metric.ASSOCIATIONS_ABORTED
            ),
            stat="Maximum",
        ),
        _graph(
            Text("Time to durable (ms, p99)", "保存完了までの時間（ミリ秒、p99）"),
            _own(Metric.STORE_LATENCY),
            stat="p99",
        ),
    ]


def _importing(pipeline: ImportPipeline) -> list[dict[str, Any]]:
    functions = [
        ["AWS/Lambda", name, "FunctionName", _ref(made.function)]
        for name in ("Invocations", "Errors")
        for made in pipeline.all()
    ]
    return [
        _graph(
            Text("Images imported", "取り込み画像数"),
            _own(
                Metric.INSTANCES_IMPORTED,
                Metric.INSTANCES_IMPORTED_WITH_WARNING,
                Metric.INSTANCES_IMPORTED_NON_PRIMARY,
                Metric.INSTANCES_QUARANTINED,
            ),
        ),
        _graph(
            Text("Oldest image not yet imported (s)", "最も古い取り込み待ち画像（秒）"),
            _own(Metric.OLDEST_UNIMPORTED_AGE),
            stat="Maximum",
        ),
        _graph(Text("Lambda invocations and errors", "Lambda 実行回数・エラー"), functions),
    ]


def _own(*metrics: Metric) -> list[list[str]]:
    return [[NAMESPACE, metric.value, DIMENSION, "${AWS::StackName}"] for metric in metrics]


def _graph(title: Text, metrics: list[list[str]], *, stat: str = "Sum") -> dict[str, Any]:
    return {
        "type": "metric",
        "properties": {
            "title": str(title),
            "region": "${AWS::Region}",
            "view": "timeSeries",
            "period": _PERIOD_S,
            "stat": stat,
            "metrics": metrics,
        },
    }


def _ref(resource: AWSObject) -> str:
    return f"${{{resource.title}}}"


def _att(resource: AWSObject, attribute: str) -> str:
    return f"${{{resource.title}.{attribute}}}"
