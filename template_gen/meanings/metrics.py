"""What each metric counts, for docs/."""

from __future__ import annotations

from contract.metrics import Metric
from contract.text import Text

METRICS: dict[Metric, Text] = {
    Metric.INSTANCES_STORED: Text(
        "Images acknowledged to devices with Success.", "機器に成功を応答した画像数。"
    ),
    Metric.BYTES_STORED: Text("Their bytes.", "成功を応答した画像のバイト数。"),
    Metric.DUPLICATES_ANSWERED: Text(
        "Images sent again within ten minutes with the same bytes: answered Success, not stored twice.",
        "10分以内に同じ内容で再送された画像数。成功を応答し、二重には保存しません。",
    ),
    Metric.STORE_LATENCY: Text(
        "From an image's last byte to S3's confirmation.",
        "画像の最後のデータを受信してからS3が保存を確認するまでの時間。",
    ),
    Metric.FAILED_STORES: Text(
        "Images that could not be stored and were answered A700; the devices have them.",
        "保存できずA700を応答した画像数。画像は機器側に残っています。",
    ),
    Metric.REFUSED_INSTANCES: Text(
        "Images that were refused because something about them is wrong.",
        "内容に問題があり受信を拒否した画像数。",
    ),
    Metric.ASSOCIATIONS_ACCEPTED: Text("Associations accepted.", "受け入れたアソシエーション数。"),
    Metric.ASSOCIATIONS_REJECTED: Text(
        "Associations rejected: a wrong AE title, the limit, or a server that stops.",
        "拒否したアソシエーション数（AEタイトル不一致、上限到達、停止処理中）。",
    ),
    Metric.ASSOCIATIONS_ABORTED: Text(
        "Associations that ended otherwise than by a release.",
        "正常なリリース以外で終了したアソシエーション数。",
    ),
    Metric.ASSOCIATIONS_OPEN: Text(
        "Associations open at the moment, of one server.",
        "その時点で開いているアソシエーション数（1サーバーあたり）。",
    ),
    Metric.TLS_HANDSHAKES_FAILED: Text(
        "TLS handshakes that the servers refused (`ReceiverTLSSecretARN`).",
        "サーバーが拒否したTLSハンドシェイク数（`ReceiverTLSSecretARN`使用時）。",
    ),
    Metric.BATCHES_SEALED: Text("Batches closed and handed to the import.", "締め切って取り込みに渡したバッチ数。"),
    Metric.WORKER_RESTARTS: Text(
        "Processes of the receiver that died and were replaced.",
        "異常終了し、再起動された受信プロセスの数。",
    ),
    Metric.LOG_LINES_DROPPED: Text(
        "Log lines lost because the log was not read fast enough; images are never lost by it.",
        "ログ出力の遅延により失われたログの行数。画像は失われません。",
    ),
    Metric.COMMITMENTS_REQUESTED: Text(
        "Storage commitment requests accepted.", "受け付けたストレージコミットメント要求数。"
    ),
    Metric.COMMITMENTS_ANSWERED: Text(
        "Storage commitment answers that a device has taken.", "機器が受け取ったストレージコミットメント応答数。"
    ),
    Metric.COMMITMENTS_UNDELIVERED: Text(
        "Storage commitment answers that could not be delivered for three days.",
        "3日間配信できなかったストレージコミットメント応答数。",
    ),
    Metric.COMMITMENTS_OPEN: Text(
        "Storage commitment requests that are not answered yet; each server reports those of all.",
        "未応答のストレージコミットメント要求数（各サーバーが全体の値を報告）。",
    ),
    Metric.IMPORT_JOBS_STARTED: Text("Import jobs started.", "開始した取り込みジョブ数。"),
    Metric.IMPORT_JOBS_FAILED: Text(
        "Import jobs that HealthImaging ended as FAILED.", "HealthImagingでFAILEDとなった取り込みジョブ数。"
    ),
    Metric.IMPORT_STARTS_THROTTLED: Text(
        "Starts that HealthImaging put off; they are tried again by themselves.",
        "HealthImagingの制限により延期された開始要求の数。自動的に再試行されます。",
    ),
    Metric.INSTANCES_IMPORTED: Text("Images imported without remark.", "問題なく取り込まれた画像数。"),
    Metric.INSTANCES_IMPORTED_WITH_WARNING: Text(
        "Images imported with a warning of HealthImaging.", "HealthImagingの警告付きで取り込まれた画像数。"
    ),
    Metric.INSTANCES_IMPORTED_NON_PRIMARY: Text(
        "Images imported into an image set of their own, because their metadata contradicts the study's.",
        "検査のメタデータと矛盾するため、別の画像セットに取り込まれた画像数。",
    ),
    Metric.INSTANCES_QUARANTINED: Text("Images quarantined.", "隔離された画像数。"),
    Metric.DUPLICATE_INSTANCES: Text(
        "Images received again with the same bytes.", "同じ内容で再び受信した画像数。"
    ),
    Metric.CONFLICTING_INSTANCES: Text(
        "Images received with the SOP Instance UID of another but other bytes; both are kept.",
        "SOP Instance UIDが同じで内容が異なる画像数。両方とも保存されています。",
    ),
    Metric.INSTANCES_IN_TWO_STUDIES: Text(
        "Images whose SOP Instance UID was received in two studies.",
        "同じSOP Instance UIDで2つの検査に現れた画像数。",
    ),
    Metric.INSTANCES_REDRIVEN: Text(
        "Images that an operator had imported again out of quarantine.",
        "運用担当者が隔離から再取り込みした画像数。",
    ),
    Metric.INSTANCES_RELEASED: Text(
        "Images whose originals an operator allowed to expire.",
        "運用担当者が原本の期限切れ削除を許可した画像数。",
    ),
    Metric.IMPORT_LATENCY: Text(
        "From Success to the recorded outcome, the oldest image of a batch.",
        "成功の応答から結果の記録までの時間（バッチ内で最も古い画像）。",
    ),
    Metric.OLDEST_UNIMPORTED_AGE: Text(
        "Age of the oldest image that has no outcome yet.", "結果がまだない最も古い画像の経過時間。"
    ),
    Metric.UNACCOUNTED_INSTANCES: Text(
        "Images whose whereabouts could not be proved; always 0 in good order.",
        "所在を確認できない画像数。正常時は常に0です。",
    ),
    Metric.FULL_PROOF_AGE: Text(
        "Time since every image was last compared with the bucket.",
        "全画像とバケットの照合が最後に完了してからの時間。",
    ),
    Metric.BATCHES_ADOPTED: Text(
        "Batches that Sweep closed in place of a server that is gone.",
        "停止したサーバーに代わってSweepが締め切ったバッチ数。",
    ),
}  # fmt: skip
