"""What the receiver reads from its environment."""

# long: one declaration for each setting, nothing else.

from __future__ import annotations

import os
from dataclasses import dataclass

from contract.settings import EnvSettings, boolean, comma_list, pem, setting
from receiver.peers import PEERS_PATTERN, Peer, parse_peers

AE_TITLE_PATTERN = r"[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?"
"""PS3.5 VR AE: 1 to 16 printable characters without backslash, no blank at either end."""
AE_TITLES_PATTERN = rf"{AE_TITLE_PATTERN}(\s*,\s*{AE_TITLE_PATTERN})*"
UIDS_PATTERN = r"\s*[0-9][0-9.]{0,63}(\s*,\s*[0-9][0-9.]{0,63})*\s*"
LANDING_PATTERN = r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/?|file:///.*"

_NOTHING_IMPORTED = (
    "COMMITMENT_PEERS is set, but nothing is imported from LANDING_URL=file://...: set "
    "COMMITMENT_WHEN=landed, or land in s3://."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(EnvSettings):
    """Everything that the receiver can be told; each field names its environment variable."""

    scp_port: int = setting(
        "SCP_PORT",
        int,
        default=11112,
        minimum=0,
        maximum=65535,
        doc="TCP port for DICOM; 0 takes a free one.",
        doc_ja="DICOM通信のTCPポート。0なら空きポート。",
    )
    ae_title: str = setting(
        "AE_TITLE",
        str,
        default="STORESCP",
        pattern=AE_TITLE_PATTERN,
        doc="This receiver's AE title.",
        doc_ja="この受信サーバーのAEタイトル。",
    )
    require_called_ae_title: bool = setting(
        "REQUIRE_CALLED_AE_TITLE",
        boolean,
        default=False,
        doc="Reject associations that call another AE title than this receiver's own.",
        doc_ja="このサーバーのAEタイトルと異なるCalled AE Titleの接続を拒否します。",
    )
    require_calling_ae_title: tuple[str, ...] = setting(
        "REQUIRE_CALLING_AE_TITLE",
        comma_list,
        default=(),
        pattern=AE_TITLES_PATTERN,
        doc="Calling AE titles that may send, comma-separated; empty for any.",
        doc_ja="送信を許可する機器のAEタイトル（Calling AE Title、カンマ区切り）。空ならすべて許可します。",
    )
    dimse_timeout_s: int = setting(
        "DIMSE_TIMEOUT",
        int,
        default=60,
        minimum=10,
        maximum=300,
        unit="s",
        doc="How long the senders wait for a response; an instance is stored in less than half of it.",
        doc_ja="送信側が応答を待つ時間。画像の保存は、その半分以内に完了または失敗します。",
    )
    network_timeout_s: int = setting(
        "NETWORK_TIMEOUT",
        int,
        default=90,
        minimum=10,
        maximum=300,
        unit="s",
        doc="How long an association may be idle between messages.",
        doc_ja="メッセージ間の無通信を許容する時間。",
    )
    maximum_associations: int = setting(
        "MAXIMUM_ASSOCIATIONS",
        int,
        default=300,
        minimum=1,
        maximum=1000,
        doc="Associations open at once in one task, exactly.",
        doc_ja="1サーバーが同時に受け付けるアソシエーション数（正確な上限）。",
    )
    maximum_associations_per_ae_title: int = setting(
        "MAXIMUM_ASSOCIATIONS_PER_AE_TITLE",
        int,
        default=0,
        minimum=0,
        maximum=1000,
        doc="Associations of one calling AE title in one task; 0 for no number of its own: others are "
        "still served.",
        doc_ja="1サーバーで1つの機器のAEタイトル（Calling AE Title）が同時に接続できる数。0なら個別の上限なし（ほかの送信元は待たされません）。",
    )
    maximum_associations_per_address: int = setting(
        "MAXIMUM_ASSOCIATIONS_PER_ADDRESS",
        int,
        default=0,
        minimum=0,
        maximum=1000,
        doc="Associations from one IP address in one task; 0 for no number of its own: others are still "
        "served.",
        doc_ja="1サーバーで1つのIPアドレスが同時に接続できる数。0なら個別の上限なし（ほかの送信元は待たされません）。",
    )
    maximum_pdu_size: int = setting(
        "MAXIMUM_PDU_SIZE",
        int,
        default=1_048_576,
        minimum=16_384,
        maximum=4_194_304,
        unit="bytes",
        doc="Maximum length of a P-DATA-TF PDU that is offered and enforced.",
        doc_ja="提示し、強制するP-DATA-TF PDUの最大長。",
    )
    supported_sop_class_uids: tuple[str, ...] = setting(
        "SUPPORTED_SOP_CLASS_UIDS",
        comma_list,
        default=(),
        pattern=UIDS_PATTERN,
        doc="SOP Class UIDs to accept, comma-separated; empty for every storage SOP class.",
        doc_ja="受け入れるSOP Class UID（カンマ区切り）。空ならすべてのストレージSOPクラス。",
    )
    landing_url: str = setting(
        "LANDING_URL",
        str,
        pattern=LANDING_PATTERN,
        doc="Where instances land: s3://bucket or file:///directory.",
        doc_ja="受信画像の保存先。s3://バケット または file:///ディレクトリ。",
    )
    health_port: int = setting(
        "HEALTH_PORT",
        int,
        default=8080,
        minimum=0,
        maximum=65535,
        doc="TCP port of the HTTP health check; 0 takes a free one.",
        doc_ja="HTTPヘルスチェックのTCPポート。0なら空きポート。",
    )
    workers: int = setting(
        "WORKERS",
        int,
        default=0,
        minimum=0,
        maximum=32,
        doc="Worker processes; 0 for one per vCPU.",
        doc_ja="ワーカープロセス数。0ならvCPUごとに1つ。",
    )
    proxy_protocol: bool = setting(
        "PROXY_PROTOCOL",
        boolean,
        default=False,
        doc="Every connection starts with a PROXY protocol v2 header; one without it is cut.",
        doc_ja="各接続の先頭にPROXYプロトコルv2ヘッダーを必須とする。",
    )
    tls_certificate: str = setting(
        "TLS_CERTIFICATE",
        pem("CERTIFICATE"),
        default="",
        secret=True,
        doc="This receiver's certificate and its intermediates, PEM; with it every connection is TLS.",
        doc_ja="この受信サーバーの証明書と中間証明書（PEM）。設定するとすべての接続がTLSになる。",
    )
    tls_private_key: str = setting(
        "TLS_PRIVATE_KEY",
        pem("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"),
        default="",
        secret=True,
        doc="The certificate's private key, PEM without a passphrase.",
        doc_ja="証明書の秘密鍵（PEM、パスフレーズなし）。",
    )
    tls_client_ca: str = setting(
        "TLS_CLIENT_CA",
        pem("CERTIFICATE"),
        default="",
        secret=True,
        doc="Certificates that the senders' certificates must be issued by (or be), PEM.",
        doc_ja="送信側の証明書の発行元となるCA証明書（または送信側の証明書自体、PEM）。",
    )
    bind_ae_title_to_certificate: bool = setting(
        "BIND_AE_TITLE_TO_CERTIFICATE",
        boolean,
        default=False,
        doc="Reject a calling AE title that is no common name (CN) of the sender's certificate.",
        doc_ja="送信側の証明書のコモンネーム（CN）と異なるAEタイトル（Calling AE Title）の接続を拒否します。",
    )
    memory_mib: int = setting(
        "MEMORY_MIB",
        int,
        default=0,
        minimum=0,
        maximum=249_856,
        unit="MiB",
        doc="Memory of the task; 0 reads the cgroup's limit. Half of it may hold datasets in flight.",
        doc_ja="タスクのメモリ。0ならcgroupの上限を読む。半分まで受信中データに使う。",
    )
    batch_age_s: int = setting(
        "BATCH_AGE",
        int,
        default=60,
        minimum=5,
        maximum=600,
        unit="s",
        doc="A batch is sealed at this age at the latest.",
        doc_ja="バッチを封印するまでの最長時間。",
    )
    batch_idle_s: int = setting(
        "BATCH_IDLE",
        int,
        default=10,
        minimum=1,
        maximum=300,
        unit="s",
        doc="A batch is sealed when nothing was added to it for so long.",
        doc_ja="追加がないままこの時間が過ぎたバッチを封印する。",
    )
    stop_timeout_s: int = setting(
        "STOP_TIMEOUT",
        int,
        default=120,
        minimum=5,
        maximum=120,
        unit="s",
        doc="Time from SIGTERM to SIGKILL; associations may finish for a quarter of it.",
        doc_ja="SIGTERMからSIGKILLまでの時間。その4分の1まで通信の完了を待つ。",
    )
    metrics_interval_s: int = setting(
        "METRICS_INTERVAL",
        int,
        default=60,
        minimum=1,
        maximum=300,
        unit="s",
        doc="How often metrics are written to the log.",
        doc_ja="メトリクスをログに書く間隔。",
    )
    stack_name: str = setting(
        "STACK_NAME",
        str,
        default="local",
        maximum=128,
        doc="Name of the stack, the metrics' only dimension.",
        doc_ja="スタック名（メトリクスの唯一のディメンション）。",
    )
    commitment_peers: tuple[Peer, ...] = setting(
        "COMMITMENT_PEERS",
        parse_peers,
        default=(),
        pattern=PEERS_PATTERN,
        doc="Devices that may ask for storage commitment, and where each takes the answer: "
        "AETITLE=host:port, comma-separated; empty for no storage commitment.",
        doc_ja="ストレージコミットメントを要求できる機器と応答先（AEタイトル=ホスト:ポート、カンマ区切り）。"
        "空ならストレージコミットメントは無効。",
    )
    commitment_when: str = setting(
        "COMMITMENT_WHEN",
        str,
        default="imported",
        choices=("imported", "landed"),
        doc="When storage is committed to: imported, once AWS HealthImaging's own result names the image; "
        "landed, as soon as Amazon S3 has it.",
        doc_ja="保存を確約する時点。imported: AWS HealthImagingの取り込み結果で確認後、landed: Amazon S3への保存直後。",
    )
    commitment_unknown_after_s: int = setting(
        "COMMITMENT_UNKNOWN_AFTER",
        int,
        default=7_200,
        minimum=1,
        maximum=86_400,
        unit="s",
        doc="How long after a request an image may still become known; then it is answered as not there.",
        doc_ja="要求後、未確認の画像の到着を待つ時間。過ぎると存在しないと応答する。",
    )
    commitment_timeout_s: int = setting(
        "COMMITMENT_TIMEOUT",
        int,
        default=86_400,
        minimum=1,
        maximum=604_800,
        unit="s",
        doc="How long an image that has landed may take until it is imported; then it is answered as failed.",
        doc_ja="受信済み画像の取り込み完了を待つ時間。過ぎると失敗と応答する。",
    )
    commitment_retry_s: int = setting(
        "COMMITMENT_RETRY",
        int,
        default=15,
        minimum=1,
        maximum=3_600,
        unit="s",
        doc="Pause after the first delivery of an answer that failed; it doubles up to an hour, for 3 days.",
        doc_ja="応答の配信に失敗したときの最初の再試行間隔。最大1時間まで倍増し、3日間続ける。",
    )
    ledger_table: str = setting(
        "TABLE_NAME",
        str,
        default="",
        maximum=255,
        doc="DynamoDB table of the ledger, which storage commitment is answered from.",
        doc_ja="ストレージコミットメントの判定に使う台帳のDynamoDBテーブル名。",
    )
    log_level: str = setting(
        "LOG_LEVEL",
        str,
        default="INFO",
        choices=("DEBUG", "INFO", "WARNING", "ERROR"),
        doc="Least severe log events to write.",
        doc_ja="出力するログの最低レベル。",
    )

    def contradictions(self) -> list[str]:
        """Return what is wrong between the fields of TLS, and what storage commitment lacks."""
        return [*self._tls_problems(), *self._commitment_problems()]

    def _commitment_problems(self) -> list[str]:
        if not self.commitment_peers:
            return []
        if self.landing_url.startswith("file:"):
            if self.commitment_when == "imported":
                return [_NOTHING_IMPORTED]
        elif not self.ledger_table:
            return ["COMMITMENT_PEERS is set, but TABLE_NAME, the ledger to answer from, is not."]
        return []

    def commitment_peer(self, ae_title: str) -> Peer | None:
        """Return where storage commitment for `ae_title` is answered; None if it may not ask for it."""
        return next((peer for peer in self.commitment_peers if peer.ae_title == ae_title), None)

    @property
    def uses_tls(self) -> bool:
        """Whether every connection is TLS."""
        return bool(self.tls_certificate)

    def _tls_problems(self) -> list[str]:
        specs = self.specs()
        three = ("tls_certificate", "tls_private_key", "tls_client_ca")
        missing = [specs[name].env for name in three if not getattr(self, name)]
        if len(missing) == len(three):
            if self.bind_ae_title_to_certificate:
                return [f"BIND_AE_TITLE_TO_CERTIFICATE needs {', '.join(missing)}."]
        elif missing:
            wanted = ", ".join(specs[name].env for name in three)
            return [f"{wanted} belong together: {', '.join(missing)} is not set."]
        return []

    @property
    def worker_count(self) -> int:
        """Worker processes to start."""
        return self.workers or os.cpu_count() or 1

    @property
    def store_deadline_s(self) -> float:
        """Time for all attempts to store one instance: the sender must still be waiting."""
        return min(self.dimse_timeout_s / 2, 25.0)

    @property
    def batch_lease_s(self) -> float:
        """Time from a batch's opening to the end of its lease.

        An instance admitted in the last moment of a batch's age has its whole store deadline, and the
        seal as much again.
        """
        return self.batch_age_s + 2 * self.store_deadline_s + 10

    @property
    def drain_s(self) -> float:
        """Time from SIGTERM for associations to finish by themselves."""
        return self.stop_timeout_s / 4

    @property
    def cut_s(self) -> float:
        """Time from SIGTERM at which the associations that are still open are cut."""
        return max(self.stop_timeout_s - 15.0, self.stop_timeout_s / 2)

    @property
    def kill_s(self) -> float:
        """Time from SIGTERM at which workers that have not sealed are given up."""
        return self.stop_timeout_s - min(3.0, self.stop_timeout_s / 10)
