"""Our own parameters, all optional, after the guide's."""

from __future__ import annotations

from troposphere import Parameter

from receiver.settings import Settings
from template_gen.form import Form, Group, Text, from_setting


def add_commitment(form: Form) -> dict[str, Parameter]:
    """Add storage commitment, which is off without an address to answer to."""
    group = Group.COMMITMENT
    return {
        "storage_commitment_peers": form.add(
            "StorageCommitmentPeers",
            group=group,
            label=Text(
                "Devices that ask for storage commitment", "ストレージコミットメント対象機器"
            ),
            constraint=Text(
                "Type AETITLE=host:port, such as CT01=10.0.1.15:104, separated by commas, or leave it empty.",
                "CT01=10.0.1.15:104 のように AEタイトル=ホスト:ポート をカンマ区切りで入力するか、空にしてください。",
            ),
            **from_setting(Settings, "commitment_peers"),
        ),
        "storage_commitment_when": form.add(
            "StorageCommitmentWhen",
            group=group,
            label=Text("Commit to storage once an image is", "保存を確約する時点"),
            **from_setting(Settings, "commitment_when"),
        ),
    }


def add_network_options(form: Form) -> dict[str, Parameter]:
    """Add what some networks need besides."""
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
                "指定するとS3ゲートウェイエンドポイントを作成し、NATゲートウェイの通信料を節約します。既にある場合は空。",
            ),
            Default="",
            AllowedPattern=r"^\s*(rtb-[0-9a-f]{8,17})?\s*$",
            constraint=Text(
                "Type route table ids such as rtb-0123456789abcdef0, separated by commas, or leave it empty.",
                "rtb-0123456789abcdef0 のようなIDをカンマ区切りで入力するか、空にしてください。",
            ),
        ),
    }


def add_senders(form: Form) -> dict[str, Parameter]:
    """Add what one sender may have at most, and how it proves who it is."""
    group = Group.SENDERS
    return {
        "maximum_associations_per_ae_title": form.add(
            "MaximumAssociationsPerAETitle",
            group=group,
            label=Text(
                "Maximum associations of one AE title",
                "1つの機器のAEタイトルあたりの最大同時接続数",
            ),
            **from_setting(Settings, "maximum_associations_per_ae_title"),
        ),
        "maximum_associations_per_address": form.add(
            "MaximumAssociationsPerAddress",
            group=group,
            label=Text(
                "Maximum associations of one IP address", "1つのIPアドレスあたりの最大同時接続数"
            ),
            **from_setting(Settings, "maximum_associations_per_address"),
        ),
        "receiver_tls_secret_arn": form.add(
            "ReceiverTLSSecretARN",
            "String",
            group=group,
            label=Text("Secret for mutual TLS", "相互TLS用シークレットのARN"),
            doc=Text(
                "Secret of AWS Secrets Manager in this Region with certificate, privateKey and clientCA; with "
                "it the servers end TLS themselves and accept only devices with a certificate.",
                "certificate、privateKey、clientCAを含むこのリージョンのAWS Secrets Managerシークレット。指定するとサーバー自身がTLSを終端し、証明書を持つ機器だけを受け入れます。",
            ),
            Default="",
            AllowedPattern=r"^(arn:aws:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:"
            r"[0-9A-Za-z/_+=.@-]+-[0-9A-Za-z]{6})?$",
            constraint=Text(
                "Copy the secret's whole ARN, with its last six characters: "
                "arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-XXXXXX.",
                "末尾6文字を含むシークレットの完全なARN（arn:aws:secretsmanager:リージョン:アカウント:secret:名前-XXXXXX）を入力してください。",
            ),
        ),
        "bind_ae_title_to_certificate": form.add(
            "BindAETitleToCertificate",
            group=group,
            label=Text(
                "Check the AE title against the certificate", "AEタイトルを証明書と照合する"
            ),
            **from_setting(Settings, "bind_ae_title_to_certificate"),
        ),
    }


def add_data(form: Form) -> dict[str, Parameter]:
    """Add what concerns where images are and how long."""
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
        "create_kms_key": form.add(
            "CreateKMSKey",
            "String",
            group=group,
            label=Text("Make a KMS key for the data", "データ用のKMSキーを作成する"),
            doc=Text(
                "true encrypts images, results, ledger and data store by a key of your account, made with the "
                "stack. Decide before the first launch: a data store keeps its key for ever.",
                "trueにすると、画像・結果・台帳・データストアをスタックと同時に作成するKMSキーで暗号化します。"
                "データストアのキーは後から変更できません。",
            ),
            Default="false",
            AllowedValues=["true", "false"],
        ),
        "kms_key_arn": form.add(
            "KMSKeyARN",
            "String",
            group=group,
            label=Text("Existing KMS key for the data", "データ用の既存のKMSキー"),
            doc=Text(
                "ARN of your own symmetric key in this Region, whose policy lets IAM of the account decide "
                "(KMS's default); empty for none. Decide before the first launch.",
                "このリージョンの対称KMSキーのARN。キーポリシーでアカウントのIAMによる許可が必要です（KMSの既定）。"
                "不要なら空。後から変更できません。",
            ),
            Default="",
            AllowedPattern=r"^(arn:aws:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9A-Za-z-]+)?$",
            constraint=Text(
                "Copy the key's ARN, arn:aws:kms:REGION:ACCOUNT:key/ID (no alias), or leave it empty.",
                "キーのARN（arn:aws:kms:リージョン:アカウント:key/ID、エイリアス不可）を入力するか、空にしてください。",
            ),
        ),
        "replica_bucket_arn": form.add(
            "ReplicaBucketARN",
            "String",
            group=group,
            label=Text(
                "Copy originals to a bucket in another Region", "別リージョンのバケットへの複製"
            ),
            doc=Text(
                "ARN of a versioned bucket of yours in another Region; every received image is copied there "
                "and no removal ever is. Empty for none.",
                "別リージョンにあるバージョニング有効なバケットのARN。受信した全画像を複製し、削除は複製しません。不要なら空。",
            ),
            Default="",
            AllowedPattern=r"^(arn:aws:s3:::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$",
            constraint=Text(
                "Type arn:aws:s3:::BUCKET-NAME, or leave it empty.",
                "arn:aws:s3:::バケット名 の形式で入力するか、空にしてください。",
            ),
        ),
        "break_glass_role_arn": form.add(
            "BreakGlassRoleARN",
            "String",
            group=group,
            label=Text("Role that may delete received images", "受信画像を削除できるロール"),
            doc=Text(
                "ARN of an IAM role for emergencies. The buckets refuse the deletion of received images and "
                "results by anybody else, administrators too; empty refuses it to everybody.",
                "緊急時用のIAMロールのARN。受信画像と取り込み結果の削除は、管理者も含めこのロール以外には許可されません。空なら誰も削除できません。",
            ),
            Default="",
            AllowedPattern=r"^(arn:aws:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+)?$",
            constraint=Text(
                "Copy the role's ARN, arn:aws:iam::ACCOUNT:role/NAME, or leave it empty.",
                "ロールのARN（arn:aws:iam::アカウント:role/名前）を入力するか、空にしてください。",
            ),
        ),
    }


def add_monitoring(form: Form) -> dict[str, Parameter]:
    """Add logs and alarms."""
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
