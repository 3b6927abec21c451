"""What is watched: each metric, when it is wrong, and what that means for the people who read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from troposphere import GetAtt, Ref, StackName

from contract.metrics import DIMENSION, NAMESPACE
from contract.metrics import Metric as ProductMetric
from template_gen.form import Text
from template_gen.network import Network
from template_gen.queues import Queues
from template_gen.service import IngestService

FIVE_MINUTES_S = 300
ONE_MINUTE_S = 60
HIGH_PERCENT = 80
OLDEST_UNIMPORTED_S = 3600
"""A batch is imported within minutes; one that a dead task left is adopted within a quarter of an hour."""
FULL_PROOF_S = 2 * 24 * 3600
"""It is due daily."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One metric and when it is wrong.

    Attributes:
        title: Logical ID of the alarm.
        meaning: What has happened and what to do.
        namespace: The metric's.
        metric: Its name.
        dimensions: Its dimensions.
        statistic: Of a period.
        comparison: CloudWatch's operator; `>` unless said otherwise.
        threshold: In the metric's unit.
        period_s: One period.
        periods: All of these must be wrong.
        missing: What no data means (notBreaching: nothing happened).
    """

    title: str
    meaning: Text
    namespace: str
    metric: str
    dimensions: dict[str, Any] = field(default_factory=dict)
    statistic: str = "Sum"
    comparison: str = "GreaterThanThreshold"
    threshold: float = 0
    period_s: int = FIVE_MINUTES_S
    periods: int = 1
    missing: str = "notBreaching"


def all_watches(network: Network, service: IngestService, queues: Queues) -> list[Watch]:
    """Return everything that one metric tells, the most urgent first."""
    return [
        *_availability(network),
        *_accounting(),
        *_dead_letters(queues),
        *_load(service),
    ]


def _availability(network: Network) -> list[Watch]:
    return [
        Watch(
            title="NoHealthyServerAlarm",
            meaning=Text(
                "No server passes its health check: devices cannot send. Look at the service's events.",
                "正常なサーバーがなく、機器から送信できません。ECSサービスのイベントを確認してください。",
            ),
            namespace="AWS/NetworkELB",
            metric="HealthyHostCount",
            dimensions={
                "LoadBalancer": GetAtt(network.load_balancer, "LoadBalancerFullName"),
                "TargetGroup": GetAtt(network.target_group, "TargetGroupFullName"),
            },
            statistic="Maximum",
            comparison="LessThanThreshold",
            threshold=1,
            period_s=ONE_MINUTE_S,
            periods=3,
            missing="breaching",
        ),
        Watch(
            title="FailedStoresAlarm",
            meaning=Text(
                "Images could not be stored in S3 and were refused with A700; the devices have them and "
                "must send them again.",
                "S3に保存できずA700で拒否した画像があります。機器側に残っているため再送してください。",
            ),
            **_own(ProductMetric.FAILED_STORES),
        ),
        Watch(
            title="RefusedInstancesAlarm",
            meaning=Text(
                "A device sent images that are broken or contradict themselves; they were refused, and kept "
                "under refused/ for examination. The receiver's log says which device and why.",
                "破損または矛盾のある画像を拒否しました。調査用にrefused/に保存されています。"
                "送信元の機器と理由は受信サーバーのログを確認してください。",
            ),
            **_own(ProductMetric.REFUSED_INSTANCES),
        ),
    ]


def _accounting() -> list[Watch]:
    return [
        Watch(
            title="UnaccountedInstancesAlarm",
            meaning=Text(
                "The sum does not come out: images have landed that nothing names. Sweep keeps looking "
                "after them; if this lasts, ask for support.",
                "所在を確認できない受信画像があります。自動処理が継続しますが、続く場合はサポートに連絡してください。",
            ),
            **_own(ProductMetric.UNACCOUNTED_INSTANCES),
            statistic="Maximum",
            periods=3,
        ),
        Watch(
            title="SweepSilentAlarm",
            meaning=Text(
                "Nobody has proved the sum for a quarter of an hour: look at the log of Sweep.",
                "15分間、所在確認が実行されていません。Sweep関数のログを確認してください。",
            ),
            **_own(ProductMetric.UNACCOUNTED_INSTANCES),
            statistic="SampleCount",
            comparison="LessThanThreshold",
            threshold=1,
            periods=3,
            missing="breaching",
        ),
        Watch(
            title="OldestUnimportedAlarm",
            meaning=Text(
                "An image has waited for its import for more than an hour. It is safe in S3; look at the "
                "import queue and at HealthImaging's health.",
                "取り込み待ちが1時間を超えた画像があります（S3に保存済み）。取り込みキューとHealthImagingの状態を確認してください。",
            ),
            **_own(ProductMetric.OLDEST_UNIMPORTED_AGE),
            statistic="Maximum",
            threshold=OLDEST_UNIMPORTED_S,
        ),
        Watch(
            title="ImportErrorAlarm",
            meaning=Text(
                "An import job of HealthImaging has failed. It is repeated in smaller parts; what cannot "
                "be imported goes to quarantine with its reason.",
                "HealthImagingの取り込みジョブが失敗しました。分割して再試行し、取り込めない画像は理由付きで隔離されます。",
            ),
            **_own(ProductMetric.IMPORT_JOBS_FAILED),
        ),
        Watch(
            title="QuarantineGrewAlarm",
            meaning=Text(
                "Images were quarantined: they are kept, and the dashboard says why.",
                "隔離された画像があります。画像は保存されており、理由はダッシュボードで確認できます。",
            ),
            **_own(ProductMetric.INSTANCES_QUARANTINED),
        ),
        Watch(
            title="InstancesInTwoStudiesAlarm",
            meaning=Text(
                "One SOP Instance UID was received in two studies, perhaps of two patients. Both are kept; "
                "find the device that gives out UIDs twice.",
                "同じSOP Instance UIDの画像を2つの検査（別の患者の可能性）で受信しました。両方とも保存されています。"
                "UIDを重複して発行した機器を確認してください。",
            ),
            **_own(ProductMetric.INSTANCES_IN_TWO_STUDIES),
        ),
        Watch(
            title="CommitmentUndeliveredAlarm",
            meaning=Text(
                "For three days an answer to a storage commitment request could not be delivered. The images "
                "are where the ledger says; the device does not know. Look at its address and the route.",
                "ストレージコミットメントの応答を3日間配信できませんでした。画像の状態は台帳のとおりですが、機器に通知"
                "されていません。機器のアドレスと経路を確認してください。",
            ),
            **_own(ProductMetric.COMMITMENTS_UNDELIVERED),
        ),
        Watch(
            title="FullProofLateAlarm",
            meaning=Text(
                "For more than two days no full proof has compared every image with the bucket: look at the "
                "log of Sweep.",
                "全画像とバケットの照合が2日以上完了していません。Sweep関数のログを確認してください。",
            ),
            **_own(ProductMetric.FULL_PROOF_AGE),
            statistic="Maximum",
            threshold=FULL_PROOF_S,
        ),
    ]


def _dead_letters(queues: Queues) -> list[Watch]:
    return [
        Watch(
            title=f"{queue.title}Alarm",
            meaning=Text(
                f"A message in {queue.title} could not be handled. No image is lost by it: Sweep finds "
                "again what it was about.",
                f"{queue.title}に処理できないメッセージがあります。画像は失われず、Sweepが再処理します。",
            ),
            namespace="AWS/SQS",
            metric="ApproximateNumberOfMessagesVisible",
            dimensions={"QueueName": GetAtt(queue, "QueueName")},
            statistic="Maximum",
        )
        for queue in (queues.import_dead_letters, queues.outcome_dead_letters)
    ]


def _load(service: IngestService) -> list[Watch]:
    dimensions = {
        "ClusterName": Ref(service.cluster),
        "ServiceName": GetAtt(service.service, "Name"),
    }
    return [
        Watch(
            title=f"High{metric.removesuffix('Utilization')}Alarm",
            meaning=Text(
                f"The servers' {en} is above {HIGH_PERCENT} %: raise {remedy}.",
                f"サーバーの{ja}が{HIGH_PERCENT}%を超えています。{remedy}を増やしてください。",
            ),
            namespace="AWS/ECS",
            metric=metric,
            dimensions=dimensions,
            statistic="Average",
            threshold=HIGH_PERCENT,
            periods=3,
        )
        for metric, en, ja, remedy in (
            ("CPUUtilization", "CPU load", "CPU使用率", "TaskDesiredCount / AutoscaleMaxCapacity"),
            ("MemoryUtilization", "memory use", "メモリ使用率", "TaskMemoryLimit"),
        )
    ]


def _own(metric: ProductMetric) -> dict[str, Any]:
    return {
        "namespace": NAMESPACE,
        "metric": metric.value,
        "dimensions": {DIMENSION: StackName},
    }
