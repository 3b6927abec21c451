"""What docs/ say of an image's state, and of the statuses that a device is answered."""

from __future__ import annotations

from contract.states import InstanceState as S
from contract.text import Text
from receiver.status import Status

STATES: dict[S, Text] = {
    S.SEALED: Text(
        "In S3, on its way into HealthImaging (in flight).",
        "S3に保存済みで、HealthImagingへの取り込み待ち（処理中）です。",
    ),
    S.QUARANTINED: Text(
        "In S3 but not in HealthImaging; the reason is recorded, and an operator can redrive it.",
        "S3に保存済みですが、HealthImagingには取り込まれていません。理由が記録され、再取り込みできます。",
    ),
    S.IMPORTED_NON_PRIMARY: Text(
        "In HealthImaging, in an image set apart, because its metadata contradicts the study's.",
        "検査のメタデータと矛盾するため、HealthImagingの別の画像セット（非プライマリ）に取り込まれました。",
    ),
    S.IMPORTED_WITH_WARNING: Text(
        "In HealthImaging, with a warning; the original is kept.",
        "HealthImagingに警告付きで取り込まれました。原本は保持されます。",
    ),
    S.IMPORTED: Text(
        "In HealthImaging, without remark.", "HealthImagingに問題なく取り込まれました。"
    ),
}

_CODE = ("The code in the log says what: see below.", "ログの理由コードで原因を確認してください。")

STATUSES: dict[Status, Text] = {
    Status.SUCCESS: Text(
        "Success: S3 has confirmed the image's checksum.",
        "成功。S3が画像のチェックサムを確認しました。",
    ),
    Status.PROCESSING_FAILURE: Text(
        "Processing failure: an error of this product. Send again.",
        "処理エラー。本製品の内部エラーです。再送してください。",
    ),
    Status.NO_SUCH_OBJECT_INSTANCE: Text(
        "No such object instance: storage commitment was asked of another instance than its own.",
        "ストレージコミットメントの既定インスタンス以外が指定されました。",
    ),
    Status.INVALID_ARGUMENT_VALUE: Text(
        "Invalid argument value: a storage commitment request that cannot be read.",
        "ストレージコミットメント要求の内容を解釈できません。",
    ),
    Status.INVALID_SOP_INSTANCE: Text(
        f"Invalid SOP Instance: its UID is wrong. {_CODE[0]}",
        f"SOP Instance UIDが不正です。{_CODE[1]}",
    ),
    Status.NO_SUCH_SOP_CLASS: Text(
        "No such SOP class: an action for another service than the association agreed on.",
        "アソシエーションで合意したサービス以外が指定されました。",
    ),
    Status.SOP_CLASS_NOT_SUPPORTED: Text(
        f"SOP Class not supported. {_CODE[0]}", f"対応していないSOPクラスです。{_CODE[1]}"
    ),
    Status.NO_SUCH_ACTION: Text(
        "No such action: storage commitment has the Action Type ID 1 only.",
        "ストレージコミットメントのAction Type IDは1のみです。",
    ),
    Status.DUPLICATE_INVOCATION: Text(
        "Duplicate invocation: the message id is still in use.",
        "メッセージIDが重複しています。",
    ),
    Status.UNRECOGNIZED_OPERATION: Text(
        "Unrecognized operation: this server stores, echoes and, where it is set up, commits to storage only.",
        "未対応の操作です。本サーバーはC-STOREとC-ECHO（設定によりストレージコミットメントも）に対応します。",
    ),
    Status.MISTYPED_ARGUMENT: Text(
        "Mistyped argument: data where none may be, or none where it must be.",
        "データの有無が要求と一致しません。",
    ),
    Status.RESOURCE_LIMITATION: Text(
        "Resource limitation: too many references in one storage commitment request. Ask in parts.",
        "ストレージコミットメント要求の参照数が多すぎます。分割して要求してください。",
    ),
    Status.OUT_OF_RESOURCES: Text(
        "Refused, out of resources: the image could not be stored. The device keeps it and sends it again.",
        "リソース不足による拒否。画像を保存できませんでした。画像は機器側に残っており、再送が必要です。",
    ),
    Status.DATASET_MISMATCH: Text(
        f"Data set does not match: {_CODE[0][0].lower()}{_CODE[0][1:]}",
        f"データセットが要求と一致しません。{_CODE[1]}",
    ),
    Status.CANNOT_UNDERSTAND: Text(
        f"Cannot understand. {_CODE[0]}", f"データを解釈できません。{_CODE[1]}"
    ),
}
