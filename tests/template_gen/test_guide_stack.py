"""The deployment guide's promises, from the launch on: each a test whose docstring begins with its heading."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contract.metrics import NAMESPACE, Metric
from receiver.settings import Settings
from tests.template_gen.inventory import create_only
from tests.template_gen.rendering import CERTIFICATE, document, of_type, stack

ALARM = "AWS::CloudWatch::Alarm"
BUCKETS = ("LandingBucket", "ResultsBucket", "AccessLogBucket")
FUNCTIONS = ("StartImport", "RecordOutcome", "Sweep", "Redrive", "View")


def _properties(title: str, **parameters: str) -> dict[str, Any]:
    found: dict[str, Any] = stack(**parameters)["Resources"][title]["Properties"]
    return found


def _outputs(**parameters: str) -> dict[str, Any]:
    return {name: output["Value"] for name, output in stack(**parameters)["Outputs"].items()}


def _shown() -> set[tuple[str, str]]:
    """Return namespace and name of every metric on the dashboard."""
    widgets = json.loads(_properties("Dashboard")["DashboardBody"])["widgets"]
    return {(m[0], m[1]) for w in widgets for m in w["properties"].get("metrics", ())}


def test_images_are_imported_by_themselves() -> None:
    """製品概要: 自動クラウド保存, 受信した画像をAWS HealthImagingに自動的に長期保存."""
    resources = stack()["Resources"]
    mappings = of_type(resources, "AWS::Lambda::EventSourceMapping").values()
    environment = resources["StartImport"]["Properties"]["Environment"]["Variables"]

    assert ("ImportQueue.Arn", "StartImport") in {
        (m["EventSourceArn"], m["FunctionName"]) for m in mappings
    }
    assert environment["DATASTORE_ID"] == "Datastore.DatastoreId"


def test_capacity_follows_the_load() -> None:
    """製品概要: スケーラブル, 自動的にシステム容量を調整."""
    assert _properties("PacsScalableTarget")["ServiceNamespace"] == "ecs"
    assert _properties("PacsScalingPolicy")["PolicyType"] == "TargetTrackingScaling"


@pytest.mark.parametrize(
    ("output", "value"),
    [
        ("NetworkLoadBalancerDNS", "PacsNLB.DNSName"),
        ("DICOMPort", "11112"),
        ("DICOMAETitle", "STORESCP"),
    ],
)
def test_an_output_says_how_to_connect(output: str, value: str) -> None:
    """接続情報取得の詳細手順: 「Outputs」タブ."""
    assert _outputs()[output] == value


def test_outputs_follow_the_form() -> None:
    """接続設定の手順: Port, Called AE Titleは CloudFormation Outputs の値."""
    outputs = _outputs(SCPPort="104", SCPAETitle="MYHOSPITAL")

    assert (outputs["DICOMPort"], outputs["DICOMAETitle"]) == ("104", "MYHOSPITAL")
    assert _properties("PacsListener", SCPPort="104")["Port"] == "104"


def test_a_device_may_call_itself_as_it_likes() -> None:
    """接続設定の手順: Calling AE Titleは機器固有の名前; any is admitted unless some are named."""
    assert Settings.defaults()["require_calling_ae_title"] == ()
    assert document()["Parameters"]["RequireCallingAETitle"]["Default"] == ""


def test_the_port_is_open_for_an_echo() -> None:
    """テスト方法2: DCMTKツールを使用: echoscu ... 11112."""
    listener = _properties("PacsListener")

    assert (listener["Protocol"], listener["Port"]) == ("TCP", "11112")
    assert listener["DefaultActions"] == [{"Type": "forward", "TargetGroupArn": "PacsTargetGroup"}]


def test_the_data_store_can_be_looked_at() -> None:
    """テスト方法3: 実際の画像送信テスト: AWS HealthImagingで画像が正常に保存されたことを確認."""
    outputs = _outputs()

    assert outputs["DatastoreID"] == "Datastore.DatastoreId"
    assert outputs["HealthImagingURL"].endswith(
        "/medical-imaging/home?region=us-east-1#/dataStores"
    )


@pytest.mark.parametrize(
    ("namespace", "metric"),
    [
        ("AWS/ECS", "CPUUtilization"),
        ("AWS/ECS", "MemoryUtilization"),
        ("AWS/NetworkELB", "ActiveFlowCount"),
        ("AWS/Lambda", "Invocations"),
        ("AWS/Lambda", "Errors"),
    ],
)
def test_the_dashboard_shows_a_main_metric(namespace: str, metric: str) -> None:
    """1. CloudWatch ダッシュボード作成: 主要メトリクス."""
    assert (namespace, metric) in _shown()


@pytest.mark.parametrize(
    ("title", "metric"),
    [("HighCPUAlarm", "CPUUtilization"), ("HighMemoryAlarm", "MemoryUtilization")],
)
def test_load_above_80_percent_is_an_alarm(title: str, metric: str) -> None:
    """2. アラーム設定: ECS CPU使用率 > 80%, ECS メモリ使用率 > 80%."""
    alarm = _properties(title)

    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/ECS", metric)
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 80)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_error_rate_above_5_percent_is_an_alarm(function: str) -> None:
    """2. アラーム設定: Lambda エラー率 > 5%."""
    alarm = _properties(f"{function}ErrorRateAlarm")

    assert alarm["Metrics"][-1]["Expression"] == "100*errors/invocations"
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 5)


def test_an_import_error_is_an_alarm() -> None:
    """2. アラーム設定: HealthImaging インポートエラー."""
    alarm = _properties("ImportErrorAlarm")

    assert (alarm["Namespace"], alarm["MetricName"]) == (
        NAMESPACE,
        Metric.IMPORT_JOBS_FAILED.value,
    )
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 0)


def test_inbound_rules_are_as_in_the_example() -> None:
    """1. セキュリティグループ設定: インバウンドルール例."""
    resources = stack(PeerCIDR1="203.0.113.0/24")["Resources"]
    rules = {
        (r["CidrIp"], r["IpProtocol"], r["FromPort"], r["ToPort"])
        for r in of_type(resources, "AWS::EC2::SecurityGroupIngress").values()
        if "CidrIp" in r
    }

    assert rules == {
        ("10.0.0.0/16", "tcp", "11112", "11112"),
        ("203.0.113.0/24", "tcp", "11112", "11112"),
    }


def test_the_certificates_arn_is_all_that_tls_needs() -> None:
    """2. TLS設定（オプション）: 証明書ARNをパラメータに設定."""
    listener = _properties("PacsListener", TLSCertificateARN=CERTIFICATE)

    assert (listener["Protocol"], listener["SslPolicy"]) == (
        "TLS",
        "ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
    )


def test_targets_show_whether_they_are_healthy() -> None:
    """1. DICOM接続タイムアウト: 全てのターゲットが「healthy」であることを確認."""
    group = _properties("PacsTargetGroup")

    assert (group["HealthCheckProtocol"], group["HealthCheckPath"]) == ("HTTP", "/healthz")
    assert _properties("NoHealthyServerAlarm")["MetricName"] == "HealthyHostCount"


@pytest.mark.parametrize("name", ["TaskDesiredCount", "AutoscaleMaxCapacity"])
def test_more_servers_are_an_update_that_cuts_nothing(name: str) -> None:
    """3. システム負荷エラー: TaskDesiredCount（サーバー数）, AutoscaleMaxCapacity（最大サーバー数）を増加."""
    more = {"TaskDesiredCount": "2", "AutoscaleMaxCapacity": "5"}
    before, after = stack()["Resources"], stack(**more)["Resources"]
    changed = {title for title, body in after.items() if body != before[title]}
    field = {"TaskDesiredCount": "MinCapacity", "AutoscaleMaxCapacity": "MaxCapacity"}[name]

    assert after["PacsScalableTarget"]["Properties"][field] == more[name]
    assert changed == {"PacsScalableTarget", "Preflight"}
    assert field not in create_only("AWS::ApplicationAutoScaling::ScalableTarget")


def test_the_log_group_has_the_guides_name() -> None:
    """接続エラー: CloudWatch Logs > StackName-PacsServerTaskDefPacsContainerLogGroup*."""
    group = document()["Resources"]["PacsServerTaskDefPacsContainerLogGroup"]
    (container,) = _properties("PacsServerTaskDef")["ContainerDefinitions"]

    assert group["Type"] == "AWS::Logs::LogGroup"
    # Without a name of its own CloudFormation makes it of the stack's, the logical ID and a suffix.
    assert "LogGroupName" not in group["Properties"]
    assert (
        container["LogConfiguration"]["Options"]["awslogs-group"]
        == "PacsServerTaskDefPacsContainerLogGroup"
    )


def test_scaling_follows_the_cpu() -> None:
    """自動スケーリング: ターゲット値: CPU使用率 50%, スケールイン/アウトクールダウン: 60秒."""
    tracking = _properties("PacsScalingPolicy")["TargetTrackingScalingPolicyConfiguration"]

    assert tracking == {
        "PredefinedMetricSpecification": {
            "PredefinedMetricType": "ECSServiceAverageCPUUtilization"
        },
        "TargetValue": 50,
        "ScaleInCooldown": 60,
        "ScaleOutCooldown": 60,
    }


def test_scaling_has_the_guides_bounds() -> None:
    """自動スケーリング: 最小容量: 1, 最大容量: AutoscaleMaxCapacity（デフォルト3、推奨5）."""
    target = _properties("PacsScalableTarget")

    assert (target["MinCapacity"], target["MaxCapacity"]) == ("1", "3")
    assert _properties("PacsScalableTarget", AutoscaleMaxCapacity="5")["MaxCapacity"] == "5"


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_bucket_is_encrypted_at_rest(bucket: str) -> None:
    """実装済みの保護機能: S3バケット, 保存時暗号化（S3マネージド暗号化）."""
    (rule,) = _properties(bucket)["BucketEncryption"]["ServerSideEncryptionConfiguration"]

    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_bucket_takes_tls_only(bucket: str) -> None:
    """実装済みの保護機能: S3バケット, SSL/TLS通信の強制."""
    refusal = _properties(f"{bucket}Policy")["PolicyDocument"]["Statement"][0]

    assert (refusal["Effect"], refusal["Principal"], refusal["Action"]) == ("Deny", "*", ["s3:*"])
    assert refusal["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_bucket_is_never_public(bucket: str) -> None:
    """実装済みの保護機能: S3バケット, パブリックアクセスのブロック."""
    assert _properties(bucket)["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }


def test_the_table_can_be_restored_to_any_moment() -> None:
    """実装済みの保護機能: DynamoDB, ポイントインタイムリカバリ有効化."""
    recovery = _properties("DicomImportJobTable")["PointInTimeRecoverySpecification"]

    assert recovery == {"PointInTimeRecoveryEnabled": True}


def test_the_table_is_encrypted_at_rest() -> None:
    """実装済みの保護機能: DynamoDB, 保存時暗号化."""
    assert _properties("DicomImportJobTable")["SSESpecification"]["SSEEnabled"] is True


def test_the_images_outlive_the_stack() -> None:
    """実装済みの保護機能: AWS HealthImaging."""
    datastore = document()["Resources"]["Datastore"]

    assert datastore["DeletionPolicy"] == "RetainExceptOnCreate"
    assert datastore["UpdateReplacePolicy"] == "Retain"


def test_the_daily_check_has_one_place() -> None:
    """1. システム稼働状況の確認（毎日）: CloudWatchダッシュボード."""
    widgets = json.loads(_properties("Dashboard")["DashboardBody"])["widgets"]
    alarms = of_type(stack()["Resources"], ALARM)

    assert widgets[0]["properties"]["alarms"] == [f"{title}.Arn" for title in alarms]
    assert "/cloudwatch/home?region=us-east-1#dashboards/" in _outputs()["DashboardURL"]


@pytest.mark.parametrize(
    "metric",
    [Metric.INSTANCES_IMPORTED, Metric.INSTANCES_QUARANTINED, Metric.OLDEST_UNIMPORTED_AGE],
)
def test_imports_and_their_errors_can_be_seen(metric: Metric) -> None:
    """2. DICOM画像処理状況の確認（毎日）: 正常にインポートされているか, インポートエラー."""
    assert (NAMESPACE, metric.value) in _shown()


def test_access_to_images_is_logged() -> None:
    """3. セキュリティ状況の確認（週次）: 不審なアクセスログがないか; CloudTrail is the customer's."""
    for bucket in ("LandingBucket", "ResultsBucket"):
        assert _properties(bucket)["LoggingConfiguration"]["DestinationBucketName"] == (
            "AccessLogBucket"
        )


def test_old_logs_go_by_themselves() -> None:
    """月次メンテナンス: 不要な古いログの削除（コスト削減）."""
    groups = of_type(stack(LogRetentionDays="30")["Resources"], "AWS::Logs::LogGroup")

    assert {group["RetentionInDays"] for group in groups.values()} == {"30"}


def test_what_the_quarterly_check_looks_at_is_named() -> None:
    """四半期メンテナンス: S3バケットの暗号化設定, DynamoDBポイントインタイムリカバリ状況, データストア状態."""
    outputs = _outputs()

    assert outputs["LandingBucketName"] == "LandingBucket"
    assert outputs["ResultsBucketName"] == "ResultsBucket"
    assert outputs["LedgerTableName"] == "DicomImportJobTable"
    assert outputs["DatastoreID"] == "Datastore.DatastoreId"


def test_a_restored_table_can_be_compared_with_what_is_in_s3() -> None:
    """年次メンテナンス: DynamoDBポイントインタイムリカバリのテスト, データ整合性の確認."""
    resources = document()["Resources"]

    assert resources["DicomImportJobTable"]["DeletionPolicy"] == "Retain"
    assert resources["LandingBucket"]["DeletionPolicy"] == "Retain"
    assert "SweepSchedule" in resources


def test_the_service_can_be_started_anew_without_a_gap() -> None:
    """システム停止時の対応: ECSサービス再起動; new servers first, associations may finish."""
    deployment = _properties("PacsService")["DeploymentConfiguration"]
    (container,) = _properties("PacsServerTaskDef")["ContainerDefinitions"]

    assert (deployment["MinimumHealthyPercent"], deployment["MaximumPercent"]) == (100, 200)
    assert container["StopTimeout"] == 120


def test_a_senders_range_can_be_closed_alone() -> None:
    """セキュリティインシデント時の対応: セキュリティグループルールの一時的制限."""
    opened = stack(PeerCIDR1="203.0.113.0/24")["Resources"]
    closed = stack()["Resources"]

    assert opened.keys() - closed.keys() == {"Peer1Ingress"}
    assert {t for t in closed if opened[t] != closed[t]} == {"Preflight"}


def test_nothing_of_the_stack_stands_in_an_existing_pacs_way() -> None:
    """Q3: 既存のPACSシステムと併用できますか, はい: no name, address or resource that it could have."""
    resources = stack()["Resources"]

    assert not of_type(resources, "AWS::EC2::EIP")
    assert not [t for t, b in resources.items() if b["Type"].startswith("AWS::EC2::VPC")]


def test_privacy_is_kept_at_rest_and_on_the_way() -> None:
    """Q4: 患者データのプライバシーは保護されますか, はい."""
    resources = stack()["Resources"]
    queues = of_type(resources, "AWS::SQS::Queue").values()

    assert all(queue["SqsManagedSseEnabled"] for queue in queues)
    assert of_type(resources, "AWS::S3::Bucket").keys() == set(BUCKETS)


def test_data_can_be_recovered() -> None:
    """Q5: 障害時のデータ復旧は可能ですか, はい."""
    for bucket in ("LandingBucket", "ResultsBucket"):
        assert _properties(bucket)["VersioningConfiguration"] == {"Status": "Enabled"}
    recovery = _properties("DicomImportJobTable")["PointInTimeRecoverySpecification"]
    assert recovery["PointInTimeRecoveryEnabled"] is True


def test_viewers_find_the_data_store() -> None:
    """Q6: 他のDICOMビューアーで画像を閲覧できますか, はい: AWS HealthImaging API."""
    existing = "0123456789abcdef0123456789abcdef"

    assert _outputs(ExistingDatastoreID=existing)["DatastoreID"] == existing
