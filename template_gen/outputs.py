"""What the stack tells its owner: how to connect a device first, then where things are."""

from __future__ import annotations

from typing import Any

from troposphere import GetAtt, Output, Ref, Sub, Template
from troposphere.cloudwatch import Dashboard
from troposphere.dynamodb import Table
from troposphere.sns import Topic

from template_gen.conditions import Conditions
from template_gen.datastore import DataStore
from template_gen.form import Text
from template_gen.ingest_service import IngestTask
from template_gen.network import Network
from template_gen.parameters import Parameters
from template_gen.storage import Storage


def add_outputs(
    template: Template,
    p: Parameters,
    c: Conditions,
    *,
    network: Network,
    storage: Storage,
    table: Table,
    datastore: DataStore,
    task: IngestTask,
    dashboard: Dashboard,
    topic: Topic,
) -> None:
    """Add the outputs; the first three have the guide's names."""

    def add(name: str, value: Any, en: str, ja: str, **more: Any) -> None:
        template.add_output(Output(name, Value=value, Description=str(Text(en, ja)), **more))

    add(
        "NetworkLoadBalancerDNS",
        GetAtt(network.load_balancer, "DNSName"),
        "Host that devices connect to.",
        "DICOM機器の接続先アドレス。",
    )
    add(
        "DICOMPort",
        Ref(p.scp_port),
        "Port that devices connect to.",
        "DICOM機器の接続先ポート。",
    )
    add(
        "DICOMAETitle",
        Ref(p.scp_ae_title),
        "Called AE title of this server.",
        "このサーバーのAEタイトル（Called AE Title）。",
    )
    for n, address in enumerate(network.addresses, start=1):
        add(
            f"LoadBalancerAddress{n}",
            Ref(address),
            "Fixed address for devices that take no host name.",
            "ホスト名を入力できない機器向けの固定IPアドレス。",
            Condition=c.has_elastic_ips,
        )
    add(
        "DashboardURL",
        Sub(
            "https://${AWS::Region}.console.aws.amazon.com/cloudwatch/home?region=${AWS::Region}"
            f"#dashboards/dashboard/${{{dashboard.title}}}"
        ),
        "Dashboard: where every image is, alarms, load.",
        "ダッシュボード（全画像の所在・アラーム・負荷）。",
    )
    add(
        "HealthImagingURL",
        Sub(
            "https://${AWS::Region}.console.aws.amazon.com/medical-imaging/home?region=${AWS::Region}"
            "#/dataStores"
        ),
        "Data stores in the console of AWS HealthImaging; DatastoreID says which.",
        "AWS HealthImagingコンソールのデータストア一覧（IDはDatastoreIDを参照）。",
    )
    add(
        "AlarmTopicARN",
        Ref(topic),
        "Topic that alarms are sent to; subscribe whoever should know.",
        "アラームの通知先トピック。必要な宛先を登録してください。",
    )
    add(
        "DatastoreID",
        datastore.id,
        "HealthImaging data store with the images.",
        "画像が保存されるHealthImagingデータストア。",
    )
    add(
        "LandingBucketName",
        Ref(storage.landing),
        "Bucket in which images land.",
        "受信した画像が最初に保存されるバケット。",
    )
    add(
        "ResultsBucketName",
        Ref(storage.results),
        "Bucket with the results of import jobs.",
        "取り込みジョブの結果が保存されるバケット。",
    )
    for title, bucket, en, ja in (
        ("LandingBucketURL", storage.landing, "images land", "受信した画像の"),
        ("ResultsBucketURL", storage.results, "jobs write their results", "取り込み結果の"),
    ):
        add(
            title,
            Sub(
                "https://${AWS::Region}.console.aws.amazon.com/s3/buckets/"
                f"${{{bucket.title}}}?region=${{AWS::Region}}"
            ),
            f"Bucket in which {en}, in the console.",
            f"{ja}バケット（S3コンソール）。",
        )
    add(
        "LedgerTableName",
        Ref(table),
        "Table that says where every image is.",
        "全画像の所在を記録するテーブル。",
    )
    add(
        "ReceiverLogGroupName",
        Ref(task.log_group),
        "Log of the DICOM servers.",
        "DICOMサーバーのログ。",
    )
