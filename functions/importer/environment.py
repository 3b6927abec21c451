"""What each importer function reads from its environment; the template is bound from these."""

from __future__ import annotations

from dataclasses import dataclass

from contract.keys import MAX_LEASE_S
from contract.settings import EnvSettings, setting

BUCKET_PATTERN = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
QUEUE_URL_PATTERN = r"https?://.+"


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSettings(EnvSettings):
    """What every function needs."""

    landing_bucket: str = setting(
        "LANDING_BUCKET",
        str,
        pattern=BUCKET_PATTERN,
        doc="Bucket in which instances land.",
        doc_ja="受信画像が保存されるバケット。",
    )
    table_name: str = setting(
        "TABLE_NAME",
        str,
        minimum=3,
        maximum=255,
        doc="DynamoDB table of the ledger.",
        doc_ja="台帳のDynamoDBテーブル。",
    )
    stack_name: str = setting(
        "STACK_NAME",
        str,
        default="local",
        maximum=128,
        doc="Name of the stack, the metrics' only dimension.",
        doc_ja="スタック名（メトリクスの唯一のディメンション）。",
    )
    log_level: str = setting(
        "LOG_LEVEL",
        str,
        default="INFO",
        choices=("DEBUG", "INFO", "WARNING", "ERROR"),
        doc="Least severe log events to write.",
        doc_ja="出力するログの最低レベル。",
    )


def _results_bucket() -> str:
    bucket: str = setting(
        "RESULTS_BUCKET",
        str,
        pattern=BUCKET_PATTERN,
        doc="Bucket that receives the output of import jobs.",
        doc_ja="取り込みジョブの結果が出力されるバケット。",
    )
    return bucket


def _datastore_id() -> str:
    datastore: str = setting(
        "DATASTORE_ID",
        str,
        pattern=r"[0-9a-z]{32}",
        doc="HealthImaging data store to import into.",
        doc_ja="取り込み先のHealthImagingデータストア。",
    )
    return datastore


def _import_queue_url() -> str:
    url: str = setting(
        "IMPORT_QUEUE_URL",
        str,
        pattern=QUEUE_URL_PATTERN,
        doc="Queue that announces batches to StartImport.",
        doc_ja="StartImportにバッチを知らせるキュー。",
    )
    return url


def _outcome_queue_url() -> str:
    url: str = setting(
        "OUTCOME_QUEUE_URL",
        str,
        pattern=QUEUE_URL_PATTERN,
        doc="Queue that brings the outcomes of import jobs, and questions about them, to RecordOutcome.",
        doc_ja="取り込みジョブの結果や問い合わせをRecordOutcomeに届けるキュー。",
    )
    return url


def _job_max_files() -> int:
    files: int = setting(
        "JOB_MAX_FILES",
        int,
        default=5_000,
        minimum=64,
        maximum=1_000_000,
        doc="Files that one import job may hold (Service Quotas L-685AAB3A).",
        doc_ja="1つの取り込みジョブのファイル数上限（Service Quotas L-685AAB3A）。",
    )
    return files


@dataclass(frozen=True, slots=True, kw_only=True)
class StartImportSettings(FunctionSettings):
    """StartImport."""

    results_bucket: str = _results_bucket()
    datastore_id: str = _datastore_id()
    import_queue_url: str = _import_queue_url()
    outcome_queue_url: str = _outcome_queue_url()
    data_access_role_arn: str = setting(
        "DATA_ACCESS_ROLE_ARN",
        str,
        pattern=r"arn:aws(-[^:]+)?:iam::[0-9]{12}:role/.+",
        doc="Role by which HealthImaging reads the landing bucket and writes the results bucket.",
        doc_ja="HealthImagingが受信バケットを読み、結果バケットに書くためのロール。",
    )
    job_max_files: int = _job_max_files()
    unreadable_after: int = setting(
        "UNREADABLE_AFTER",
        int,
        default=5,
        minimum=1,
        maximum=100,
        doc="Deliveries after which a manifest that cannot be read quarantines its batch.",
        doc_ja="マニフェストを読めない場合にバッチを隔離するまでの配信回数。",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOutcomeSettings(FunctionSettings):
    """RecordOutcome."""

    results_bucket: str = _results_bucket()
    datastore_id: str = _datastore_id()
    import_queue_url: str = _import_queue_url()
    outcome_queue_url: str = _outcome_queue_url()
    output_grace_s: int = setting(
        "OUTPUT_GRACE",
        int,
        default=900,
        minimum=0,
        maximum=86_400,
        unit="s",
        doc="How long after a job's end its output may still be incomplete before files are counted missing.",
        doc_ja="ジョブ終了後、結果が未完成でも待つ時間。過ぎたら不足分を再取り込みする。",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepSettings(FunctionSettings):
    """Sweep."""

    import_queue_url: str = _import_queue_url()
    outcome_queue_url: str = _outcome_queue_url()
    reannounce_after_s: int = setting(
        "REANNOUNCE_AFTER",
        int,
        default=300,
        minimum=0,
        maximum=86_400,
        unit="s",
        doc="Age at which a sealed batch or a planned job that nobody started is announced again.",
        doc_ja="開始されていないバッチや計画済みジョブを再通知するまでの時間。",
    )
    poll_after_s: int = setting(
        "POLL_AFTER",
        int,
        default=300,
        minimum=0,
        maximum=86_400,
        unit="s",
        doc="Age at which a started job without an outcome is asked after.",
        doc_ja="結果が届かない開始済みジョブを問い合わせるまでの時間。",
    )
    adopt_after_s: int = setting(
        "ADOPT_AFTER",
        int,
        default=600,
        minimum=0,
        maximum=86_400,
        unit="s",
        doc="Time after the end of a batch's lease at which Sweep seals it if nobody did.",
        doc_ja="リース終了後、封印されていないバッチをSweepが引き取るまでの時間。",
    )
    close_after_s: int = setting(
        "CLOSE_AFTER",
        int,
        default=MAX_LEASE_S + 3_600,
        minimum=MAX_LEASE_S + 600,
        maximum=172_800,
        unit="s",
        doc="Time after an hour's end at which it is closed if every instance of it is accounted for.",
        doc_ja="全画像の所在が確定した時間帯を締めるまでの時間。",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveSettings(FunctionSettings):
    """Redrive: acts for an operator."""

    import_queue_url: str = _import_queue_url()
    outcome_queue_url: str = _outcome_queue_url()
    job_max_files: int = _job_max_files()


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewSettings(FunctionSettings):
    """View: reads the ledger only."""
