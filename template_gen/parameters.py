"""Every parameter: the guide's, with its names, defaults and order, then the optional ones of our own."""

from __future__ import annotations

from dataclasses import dataclass, fields

from troposphere import Parameter, Template

from receiver.settings import Settings
from template_gen import fargate
from template_gen.form import Form, Group, Text, from_setting

_OCTET = r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_CIDR = rf"{_OCTET}(\.{_OCTET}){{3}}/([89]|[12][0-9]|3[0-2])"
CIDR_PATTERN = f"^{_CIDR}$"
"""IPv4 with a prefix of 8 to 32 bits: 0.0.0.0/0, or halves of it, would open the port to the world."""
OPTIONAL_CIDR_PATTERN = f"^({_CIDR})?$"

_CIDR_HELP = Text(
    "Type an IPv4 range such as 203.0.113.0/24, with a prefix of /8 to /32; 0.0.0.0/0 is refused.",
    "203.0.113.0/24 のようなIPv4範囲を /8～/32 で入力してください。0.0.0.0/0 は使えません。",
)
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """The form's fields, in the form's order within each group."""

    vpc_id: Parameter
    public_subnet_ids: Parameter
    private_subnet_ids: Parameter
    availability_zones: Parameter
    security_group_id: Parameter
    vpc_cidr: Parameter
    scp_ae_title: Parameter
    scp_port: Parameter
    peer_cidr_1: Parameter
    peer_cidr_2: Parameter
    peer_cidr_3: Parameter
    require_called_ae_title: Parameter
    require_calling_ae_title: Parameter
    task_cpu: Parameter
    task_memory_limit: Parameter
    task_desired_count: Parameter
    autoscale_max_capacity: Parameter
    tls_certificate_arn: Parameter
    dimse_timeout: Parameter
    maximum_associations: Parameter
    network_timeout: Parameter
    supported_sop_class_uids: Parameter
    load_balancer_scheme: Parameter
    elastic_ips: Parameter
    task_security_group_id: Parameter
    private_route_table_ids: Parameter
    existing_datastore_id: Parameter
    expire_imported_after_days: Parameter
    log_retention_days: Parameter
    log_level: Parameter
    alarm_email: Parameter
    image_uri: Parameter
    asset_bucket_prefix: Parameter
    asset_key_prefix: Parameter
    permissions_boundary_arn: Parameter
    role_path: Parameter

    def all(self) -> tuple[Parameter, ...]:
        """Return every parameter, in order."""
        return tuple(getattr(self, f.name) for f in fields(self))


def add_parameters(template: Template) -> Parameters:
    """Add the parameters and the form's metadata."""
    form = Form(template)
    parameters = Parameters(
        **_network(form),
        **_dicom(form),
        **_performance(form),
        **_security(form),
        **_dicom_details(form),
        **_network_options(form),
        **_data(form),
        **_monitoring(form),
        **_advanced(form),
    )
    form.publish()
    return parameters


def _network(form: Form) -> dict[str, Parameter]:
    return {
        "vpc_id": form.add(
            "VpcID",
            "AWS::EC2::VPC::Id",
            group=Group.NETWORK,
            label=Text("VPC", "使用するVPC"),
            doc=Text(
                "VPC that the system is built in.",
                "システムを構築するVPCを選んでください（VPCコンソール→「VPC」）。",
            ),
        ),
        "public_subnet_ids": form.add(
            "PublicSubnetIDs",
            "List<AWS::EC2::Subnet::Id>",
            group=Group.NETWORK,
            label=Text("Public subnets (two or more)", "パブリックサブネット（2つ以上）"),
            doc=Text(
                "Subnets for the load balancer that your devices connect to; two or more, each in another "
                "Availability Zone.",
                "DICOM機器が接続するロードバランサーを置くサブネット。異なるアベイラビリティゾーンから2つ以上選んでください。",
            ),
        ),
        "private_subnet_ids": form.add(
            "PrivateSubnetIDs",
            "List<AWS::EC2::Subnet::Id>",
            group=Group.NETWORK,
            label=Text("Private subnets (two or more)", "プライベートサブネット（2つ以上）"),
            doc=Text(
                "Subnets for the DICOM servers; two or more, with a route to a NAT gateway (or with VPC "
                "endpoints).",
                "DICOM処理サーバーを置くサブネット。NAT Gatewayへのルートが必要です。2つ以上選んでください。",
            ),
        ),
        "availability_zones": form.add(
            "AvailabilityZones",
            "List<AWS::EC2::AvailabilityZone::Name>",
            group=Group.NETWORK,
            label=Text("Availability Zones", "アベイラビリティゾーン"),
            doc=Text(
                "The zones of the subnets chosen above; a subnet in another zone is refused.",
                "上で選んだサブネットのアベイラビリティゾーン。含まれないゾーンのサブネットは受け付けません。",
            ),
        ),
        "security_group_id": form.add(
            "SecurityGroupID",
            "AWS::EC2::SecurityGroup::Id",
            group=Group.NETWORK,
            label=Text("Security group", "セキュリティグループ"),
            doc=Text(
                "Your own security group of this VPC, attached to the load balancer besides the one that is "
                "made from the address ranges below: its rules are added to them.",
                "ロードバランサーに追加で付けるVPCのセキュリティグループ。下のIPアドレス範囲から作られるルールに加えて適用されます。",
            ),
        ),
        "vpc_cidr": form.add(
            "VpcCIDR",
            "String",
            group=Group.NETWORK,
            label=Text("IP address range of the VPC", "VPCのIPアドレス範囲"),
            doc=Text(
                "Range that may connect from inside the VPC, for example 10.0.0.0/16.",
                "VPC内から接続を許可する範囲（例: 10.0.0.0/16）。",
            ),
            AllowedPattern=CIDR_PATTERN,
            constraint=_CIDR_HELP,
        ),
    }


def _dicom(form: Form) -> dict[str, Parameter]:
    group = Group.DICOM
    return {
        "scp_ae_title": form.add(
            "SCPAETitle",
            group=group,
            label=Text("AE title of this server", "このサーバーのAEタイトル"),
            constraint=Text(
                "Type 1 to 16 characters without backslash, with no blank at the beginning or end.",
                "1～16文字の英数字・記号で入力してください（バックスラッシュ、先頭・末尾の空白は不可）。",
            ),
            **from_setting(Settings, "ae_title"),
        ),
        "scp_port": form.add(
            "SCPPort",
            group=group,
            label=Text("DICOM port", "DICOM通信ポート"),
            constraint=Text(
                "Type a port number from 1 to 65535; 11112 and 104 are usual.",
                "1～65535のポート番号を入力してください。通常は11112または104です。",
            ),
            **from_setting(Settings, "scp_port")
            | {
                # The load balancer's port; the container's is fixed.
                "MinValue": 1,
                "MaxValue": _LAST_PORT,
                "doc": Text(
                    "TCP port that your devices connect to.", "DICOM機器が接続するTCPポート。"
                ),
            },
        ),
        **{
            f"peer_cidr_{n}": form.add(
                f"PeerCIDR{n}",
                "String",
                group=group,
                label=Text(f"Allowed sender range {n}", f"接続を許可するIPアドレス範囲{n}"),
                doc=Text(
                    "Addresses outside the VPC that may connect, for example your hospital's global range "
                    "203.0.113.0/24; may be empty.",
                    "VPC外から接続を許可する範囲（例: 病院のグローバルIP 203.0.113.0/24）。空でも構いません。",
                ),
                Default="",
                AllowedPattern=OPTIONAL_CIDR_PATTERN,
                constraint=_CIDR_HELP,
            )
            for n in (1, 2, 3)
        },
        "require_called_ae_title": form.add(
            "RequireCalledAETitle",
            group=group,
            label=Text("Check the called AE title", "着信AEタイトルを検証する"),
            **from_setting(Settings, "require_called_ae_title"),
        ),
        "require_calling_ae_title": form.add(
            "RequireCallingAETitle",
            group=group,
            label=Text("Allowed calling AE titles", "許可する発信AEタイトル"),
            constraint=Text(
                "Type AE titles of 1 to 16 characters, separated by commas, for example CT01,MRI01.",
                "1～16文字のAEタイトルをカンマ区切りで入力してください（例: CT01,MRI01）。",
            ),
            **from_setting(Settings, "require_calling_ae_title"),
        ),
    }


def _performance(form: Form) -> dict[str, Parameter]:
    group = Group.PERFORMANCE
    memories = sorted({mib for sizes in fargate.MEMORY_MIB.values() for mib in sizes})
    return {
        "task_cpu": form.add(
            "TaskCPU",
            "Number",
            group=group,
            label=Text("CPU units of a server", "サーバーのCPUユニット数"),
            doc=Text(
                "1024 units are one vCPU; 2048 is recommended. Must fit the memory.",
                "1024で1 vCPU。推奨は2048。メモリとの組み合わせに制限があります。",
            ),
            Default="1024",
            AllowedValues=[str(units) for units in fargate.MEMORY_MIB],
        ),
        "task_memory_limit": form.add(
            "TaskMemoryLimit",
            "Number",
            group=group,
            label=Text("Memory of a server (MiB)", "サーバーのメモリ（MiB）"),
            doc=Text(
                "4096 is recommended. Must fit the CPU units.",
                "推奨は4096。CPUユニット数との組み合わせに制限があります。",
            ),
            Default="2048",
            AllowedValues=[str(mib) for mib in memories],
        ),
        "task_desired_count": form.add(
            "TaskDesiredCount",
            "Number",
            group=group,
            label=Text("Servers, at least", "最小サーバー数"),
            doc=Text(
                "Servers that always run; 2 is recommended, one in each zone.",
                "常に稼働するサーバー数。ゾーンごとに1つとなる2を推奨します。",
            ),
            Default="1",
            MinValue=1,
            MaxValue=100,
        ),
        "autoscale_max_capacity": form.add(
            "AutoscaleMaxCapacity",
            "Number",
            group=group,
            label=Text("Servers, at most", "最大サーバー数"),
            doc=Text(
                "Servers that may run under load; at least as many as always run. 5 is recommended.",
                "負荷時の最大サーバー数。最小サーバー数以上にしてください。推奨は5。",
            ),
            Default="3",
            MinValue=1,
            MaxValue=100,
        ),
    }


def _security(form: Form) -> dict[str, Parameter]:
    return {
        "tls_certificate_arn": form.add(
            "TLSCertificateARN",
            "String",
            group=Group.SECURITY,
            label=Text("TLS certificate ARN", "TLS証明書のARN"),
            doc=Text(
                "Certificate of AWS Certificate Manager in this Region; with it devices connect by TLS, "
                "without it by plain TCP.",
                "このリージョンのAWS Certificate Managerの証明書。指定するとTLS接続、空なら通常のTCP接続になります。",
            ),
            Default="",
            AllowedPattern=r"^(arn:aws:acm:[a-z0-9-]+:[0-9]{12}:certificate/[0-9A-Za-z-]+)?$",
            constraint=Text(
                "Copy the ARN of an issued certificate of this Region: "
                "arn:aws:acm:REGION:ACCOUNT:certificate/ID.",
                "このリージョンで発行済みの証明書のARN（arn:aws:acm:リージョン:アカウント:certificate/ID）を入力してください。",
            ),
        ),
    }


def _dicom_details(form: Form) -> dict[str, Parameter]:
    group = Group.DICOM_DETAILS
    return {
        "dimse_timeout": form.add(
            "DIMSETimeout",
            group=group,
            label=Text("DIMSE timeout (s)", "DIMSEタイムアウト（秒）"),
            **from_setting(Settings, "dimse_timeout_s"),
        ),
        "maximum_associations": form.add(
            "MaximumAssociations",
            group=group,
            label=Text("Maximum associations of a server", "サーバーあたりの最大同時接続数"),
            **from_setting(Settings, "maximum_associations"),
        ),
        "network_timeout": form.add(
            "NetworkTimeout",
            group=group,
            label=Text("Network timeout (s)", "ネットワークタイムアウト（秒）"),
            **from_setting(Settings, "network_timeout_s"),
        ),
        "supported_sop_class_uids": form.add(
            "SupportedSOPClassUIDs",
            group=group,
            label=Text("Supported SOP Class UIDs", "サポートするSOP Class UID"),
            constraint=Text(
                "Type UIDs of digits and dots, separated by commas, or leave it empty for all.",
                "数字とピリオドのUIDをカンマ区切りで入力するか、すべて許可する場合は空にしてください。",
            ),
            **from_setting(Settings, "supported_sop_class_uids"),
        ),
    }


def _network_options(form: Form) -> dict[str, Parameter]:
    group = Group.NETWORK_OPTIONS
    return {
        "load_balancer_scheme": form.add(
            "LoadBalancerScheme",
            "String",
            group=group,
            label=Text("Load balancer reachable from", "ロードバランサーの公開範囲"),
            doc=Text(
                "internet-facing for devices that come over the internet; internal for those that come by "
                "VPN, Direct Connect or from the VPC only.",
                "インターネット経由の機器はinternet-facing、VPN・Direct Connect・VPC内のみの場合はinternal。",
            ),
            Default="internet-facing",
            AllowedValues=["internet-facing", "internal"],
        ),
        "elastic_ips": form.add(
            "ElasticIPs",
            "String",
            group=group,
            label=Text("Fixed public IP addresses", "固定グローバルIPアドレス"),
            doc=Text(
                "true gives the load balancer two fixed addresses, one in each of the first two public "
                "subnets, for devices that take no host name; they are kept when the stack is deleted.",
                "trueにすると最初の2つのパブリックサブネットに固定IPを1つずつ割り当てます（ホスト名を入力できない機器向け）。スタック削除後も残ります。",
            ),
            Default="false",
            AllowedValues=["true", "false"],
        ),
        "task_security_group_id": form.add(
            "TaskSecurityGroupID",
            "String",
            group=group,
            label=Text(
                "Additional security group of the servers", "サーバーの追加セキュリティグループ"
            ),
            doc=Text(
                "Attached to the servers too, where VPC endpoints admit only its members; empty for none.",
                "VPCエンドポイントが特定のセキュリティグループだけを許可する場合に指定。不要なら空。",
            ),
            Default="",
            AllowedPattern=r"^(sg-[0-9a-f]{8,17})?$",
            constraint=Text(
                "Type a security group id such as sg-0123456789abcdef0, or leave it empty.",
                "sg-0123456789abcdef0 のようなIDを入力するか、空にしてください。",
            ),
        ),
        "private_route_table_ids": form.add(
            "PrivateRouteTableIDs",
            "CommaDelimitedList",
            group=group,
            label=Text(
                "Route tables of the private subnets", "プライベートサブネットのルートテーブル"
            ),
            doc=Text(
                "Makes an S3 gateway endpoint in these tables, so that images do not pay for the NAT "
                "gateway; leave it empty if the VPC has one already.",
                "指定するとS3ゲートウェイエンドポイントを作成し、NAT Gatewayの通信料を節約します。既にある場合は空。",
            ),
            Default="",
            AllowedPattern=r"^\s*(rtb-[0-9a-f]{8,17})?\s*$",
            constraint=Text(
                "Type route table ids such as rtb-0123456789abcdef0, separated by commas, or leave it empty.",
                "rtb-0123456789abcdef0 のようなIDをカンマ区切りで入力するか、空にしてください。",
            ),
        ),
    }


def _data(form: Form) -> dict[str, Parameter]:
    group = Group.DATA
    return {
        "existing_datastore_id": form.add(
            "ExistingDatastoreID",
            "String",
            group=group,
            label=Text("Existing HealthImaging data store", "既存のHealthImagingデータストア"),
            doc=Text(
                "Id of a data store of this account and Region to import into; empty makes a new one.",
                "取り込み先とする、このアカウント・リージョンの既存データストアのID。空なら新規に作成します。",
            ),
            Default="",
            AllowedPattern=r"^([0-9a-z]{32})?$",
            constraint=Text(
                "Copy the data store's id of 32 letters and digits, or leave it empty.",
                "32文字のデータストアIDを入力するか、空にしてください。",
            ),
        ),
        "expire_imported_after_days": form.add(
            "ExpireImportedAfterDays",
            "Number",
            group=group,
            label=Text("Keep imported originals for (days)", "取り込み済み原本の保持日数"),
            doc=Text(
                "Days after which the landing bucket's copy of an image that was imported without remark is "
                "removed; anything else stays.",
                "正常に取り込まれた画像の受信バケット内の原本を削除するまでの日数。それ以外の画像は削除されません。",
            ),
            Default="30",
            MinValue=1,
            MaxValue=3650,
        ),
    }


def _monitoring(form: Form) -> dict[str, Parameter]:
    group = Group.MONITORING
    return {
        "log_retention_days": form.add(
            "LogRetentionDays",
            "Number",
            group=group,
            label=Text("Keep logs for (days)", "ログの保持日数"),
            doc=Text("Days for which logs are kept.", "ログを保持する日数。"),
            Default="90",
            # What CloudWatch Logs takes.
            AllowedValues=["30", "60", "90", "180", "365", "731", "1827", "3653"],
        ),
        "log_level": form.add(
            "LogLevel",
            group=group,
            label=Text("Log level", "ログレベル"),
            **from_setting(Settings, "log_level"),
        ),
        "alarm_email": form.add(
            "AlarmEmail",
            "String",
            group=group,
            label=Text("E-mail address for alarms", "アラーム通知先メールアドレス"),
            doc=Text(
                "Gets a message when an alarm is raised or cleared, after confirming the subscription; empty "
                "for none.",
                "アラームの発生・解除を通知する宛先（確認メールの承認が必要）。不要なら空。",
            ),
            Default="",
            AllowedPattern=r"^([^@\s,]+@[^@\s,]+\.[^@\s,]+)?$",
            constraint=Text(
                "Type one e-mail address, or leave it empty.",
                "メールアドレスを1つ入力するか、空にしてください。",
            ),
        ),
    }


def _advanced(form: Form) -> dict[str, Parameter]:
    # Their defaults are empty, and the release's own values live in Mappings: an update keeps the
    # previous value of a parameter, so a default here would silently run the old release.
    group = Group.ADVANCED
    return {
        "image_uri": form.add(
            "ImageURI",
            "String",
            group=group,
            label=Text(
                "Container image instead of the release's", "リリース版に代わるコンテナイメージ"
            ),
            doc=Text(
                "Amazon ECR reference of an image; empty for the release's own.",
                "Amazon ECRのイメージ参照。空ならリリース版を使用。",
            ),
            Default="",
            AllowedPattern=(
                r"^([0-9]{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/[a-z0-9][a-z0-9._/-]*"
                r"(:[A-Za-z0-9._-]+|@sha256:[0-9a-f]{64}))?$"
            ),
            constraint=Text(
                "Type ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME:TAG or NAME@sha256:DIGEST, or leave it "
                "empty.",
                "アカウント.dkr.ecr.リージョン.amazonaws.com/名前:タグ の形式で入力するか、空にしてください。",
            ),
        ),
        "asset_bucket_prefix": form.add(
            "AssetBucketPrefix",
            "String",
            group=group,
            label=Text("Bucket prefix of the function code", "関数コードのバケット名の前半"),
            doc=Text(
                "The code is read from the bucket PREFIX-REGION; empty for the release's own.",
                "コードはバケット「前半-リージョン」から読み込みます。空ならリリース版を使用。",
            ),
            Default="",
            AllowedPattern=r"^([a-z0-9][a-z0-9-]{1,45})?$",
            constraint=Text(
                "Type 2 to 46 small letters, digits and hyphens, or leave it empty.",
                "2～46文字の英小文字・数字・ハイフンで入力するか、空にしてください。",
            ),
        ),
        "asset_key_prefix": form.add(
            "AssetKeyPrefix",
            "String",
            group=group,
            label=Text("Key prefix of the function code", "関数コードのキーの前半"),
            doc=Text(
                "Folder of the code in that bucket, ended by a slash; empty for the release's own.",
                "バケット内のフォルダ（末尾はスラッシュ）。空ならリリース版を使用。",
            ),
            Default="",
            AllowedPattern=r"^([A-Za-z0-9._/-]+/)?$",
            constraint=Text(
                "End it with a slash, for example storescp/1.0.0/, or leave it empty.",
                "storescp/1.0.0/ のようにスラッシュで終えるか、空にしてください。",
            ),
        ),
        "permissions_boundary_arn": form.add(
            "PermissionsBoundaryARN",
            "String",
            group=group,
            label=Text("Permissions boundary of the roles", "ロールのアクセス許可境界"),
            doc=Text(
                "ARN of the policy that your organisation demands on every role; empty for none.",
                "組織の規定で全ロールに必要なポリシーのARN。不要なら空。",
            ),
            Default="",
            AllowedPattern=r"^(arn:aws:iam::([0-9]{12}|aws):policy/.+)?$",
            constraint=Text(
                "Copy the ARN of an IAM policy, or leave it empty.",
                "IAMポリシーのARNを入力するか、空にしてください。",
            ),
        ),
        "role_path": form.add(
            "RolePath",
            "String",
            group=group,
            label=Text("Path of the roles", "ロールのパス"),
            doc=Text(
                "Path under which the roles are made, as your organisation demands.",
                "組織の規定に合わせてロールを作成するパス。",
            ),
            Default="/",
            AllowedPattern=r"^/([A-Za-z0-9+=,.@_-]+/)*$",
            constraint=Text(
                "Begin and end it with a slash, for example /medical/.",
                "/medical/ のようにスラッシュで始め、スラッシュで終えてください。",
            ),
        ),
    }
