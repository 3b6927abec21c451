"""The deployment guide's parameters: its names, defaults and order."""

from __future__ import annotations

from troposphere import Parameter

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
COUNTS = tuple(range(1, 21))
"""Numbers of servers to choose from. A list, because a rule can only compare with what is listed: each
count has its rule that the maximum is not below it. Twenty servers of 16 vCPUs outrun HealthImaging."""


def add_network(form: Form) -> dict[str, Parameter]:
    """Add what the guide calls the network settings."""
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
                "DICOM機器が接続するロードバランサーを置くサブネット。異なるアベイラビリティーゾーンから2つ以上選んでください。",
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
                "DICOM処理サーバーを置くサブネット。NATゲートウェイへのルートが必要です。2つ以上選んでください。",
            ),
        ),
        "availability_zones": form.add(
            "AvailabilityZones",
            "List<AWS::EC2::AvailabilityZone::Name>",
            group=Group.NETWORK,
            label=Text("Availability Zones", "アベイラビリティーゾーン"),
            doc=Text(
                "The zones of the subnets chosen above; a subnet in another zone is refused.",
                "上で選んだサブネットのアベイラビリティーゾーン。含まれないゾーンのサブネットは受け付けません。",
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


def add_dicom(form: Form) -> dict[str, Parameter]:
    """Add the guide's DICOM settings."""
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
            label=Text("Check the called AE title", "Called AE Titleを検証する"),
            **from_setting(Settings, "require_called_ae_title"),
        ),
        "require_calling_ae_title": form.add(
            "RequireCallingAETitle",
            group=group,
            label=Text("Allowed calling AE titles", "許可する機器のAEタイトル（Calling AE Title）"),
            constraint=Text(
                "Type AE titles of 1 to 16 characters, separated by commas, for example CT01,MRI01.",
                "1～16文字のAEタイトルをカンマ区切りで入力してください（例: CT01,MRI01）。",
            ),
            **from_setting(Settings, "require_calling_ae_title"),
        ),
    }


def add_performance(form: Form) -> dict[str, Parameter]:
    """Add the guide's performance settings."""
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
            constraint=Text(
                "Choose a size that goes with TaskCPU, for example 2048 to 8192 with 1024.",
                "TaskCPUに合う値を選んでください（例: 1024には2048～8192）。",
            ),
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
            AllowedValues=[str(count) for count in COUNTS],
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
            AllowedValues=[str(count) for count in COUNTS],
        ),
    }


def add_security(form: Form) -> dict[str, Parameter]:
    """Add the guide's security settings."""
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


def add_dicom_details(form: Form) -> dict[str, Parameter]:
    """Add the guide's detailed DICOM settings."""
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
