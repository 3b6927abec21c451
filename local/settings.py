"""What `make run` reads from its environment, besides the product's own settings."""

from __future__ import annotations

from dataclasses import dataclass

from contract.settings import EnvSettings, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings(EnvSettings):
    """The local product's ports and places; each field names its environment variable."""

    scp_port: int = setting(
        "SCP_PORT",
        int,
        default=11112,
        minimum=0,
        maximum=65535,
        doc="TCP port for DICOM; 0 takes a free one.",
        doc_ja="DICOM通信のTCPポート。0なら空きポート。",
    )
    console_port: int = setting(
        "CONSOLE_PORT",
        int,
        default=8042,
        minimum=0,
        maximum=65535,
        doc="TCP port of the console page and /api/status; 0 takes a free one.",
        doc_ja="コンソール画面と/api/statusのTCPポート。0なら空きポート。",
    )
    aws_port: int = setting(
        "AWS_PORT",
        int,
        default=4566,
        minimum=0,
        maximum=65535,
        doc="TCP port of every emulated AWS API; 0 takes a free one.",
        doc_ja="エミュレートされた全AWS APIのTCPポート。0なら空きポート。",
    )
    data_dir: str = setting(
        "DATA_DIR",
        str,
        default=".storescp",
        doc="Directory for logs and, to look at, the imported instances.",
        doc_ja="ログと取り込み済み画像を置くディレクトリ。",
    )
    template: str = setting(
        "TEMPLATE",
        str,
        default="",
        doc="Template to interpret; empty for dist/storescp.template.json.",
        doc_ja="解釈するテンプレート。空ならdist/storescp.template.json。",
    )
    schedule_s: int = setting(
        "SCHEDULE_INTERVAL",
        int,
        default=0,
        minimum=0,
        maximum=86_400,
        unit="s",
        doc="How often scheduled functions run; 0 for as often as the template says.",
        doc_ja="定期実行関数の間隔。0ならテンプレートどおり。",
    )
    drain_s: int = setting(
        "DRAIN_TIMEOUT",
        int,
        default=20,
        minimum=0,
        maximum=3_600,
        unit="s",
        doc="How long stopping waits for imports in progress.",
        doc_ja="停止時に進行中の取り込みを待つ時間。",
    )
