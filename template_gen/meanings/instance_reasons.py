"""Codes of why an instance was not stored, and of why a stored one is quarantined."""

from __future__ import annotations

from contract.reasons import QuarantineReason as Q
from contract.reasons import WireReason as R
from contract.text import Text
from importer.domain.view import MEANINGS
from template_gen.meanings.reason import CHECK_DEVICE, FIX_IMAGE, SEND_AGAIN, Reason, reason

INSTANCE_REASONS: dict[R, Reason] = {
    R.DUP_INVOCATION: reason(
        "0x0210",
        (
            "A second request with the message id of one that is still being answered.",
            "応答前の要求と同じメッセージIDの要求が届きました。",
        ),
        CHECK_DEVICE,
    ),
    R.NO_DATASET: reason(
        "0x0212",
        ("A C-STORE request without an image.", "画像データのないC-STORE要求です。"),
        CHECK_DEVICE,
    ),
    R.EMPTY_DATASET: reason(
        "0xC000",
        ("The image has no bytes.", "画像データが0バイトです。"),
        CHECK_DEVICE,
    ),
    R.SOP_CX_MISMATCH: reason(
        "0x0122",
        (
            "The SOP class of the request is not the one that was agreed, or none that stores.",
            "要求のSOPクラスが、合意したものと異なるか、保存用のクラスではありません。",
        ),
        FIX_IMAGE,
    ),
    R.UID_SYNTAX: reason(
        "0x0117 / 0x0122",
        (
            "A UID in the request holds other characters than digits and dots.",
            "要求のUIDに数字とドット以外の文字が含まれています。",
        ),
        FIX_IMAGE,
    ),
    R.UID_LONG: reason(
        "0x0117 / 0x0122",
        (
            "A UID in the request is longer than 64 characters.",
            "要求のUIDが64文字を超えています。",
        ),
        FIX_IMAGE,
    ),
    R.UID_MISSING: reason(
        "0x0117 / 0x0122 / 0xC000",
        (
            "The SOP class or instance UID is missing, in the request or in the image.",
            "要求または画像に、SOP Class UIDまたはSOP Instance UIDがありません。",
        ),
        FIX_IMAGE,
    ),
    R.UID_VM: reason(
        "0x0117 / 0x0122",
        (
            "A UID in the request has more than one value.",
            "要求のUIDに複数の値が入っています。",
        ),
        FIX_IMAGE,
    ),
    R.UID_MISMATCH: reason(
        "0xA900",
        (
            "The UIDs in the image are not those of its request.",
            "画像内のUIDと、要求のUIDが一致しません。",
        ),
        FIX_IMAGE,
    ),
    R.TS_MISMATCH: reason(
        "0xC000",
        (
            "The image is not encoded in the transfer syntax that was agreed.",
            "画像が、合意した転送構文で符号化されていません。",
        ),
        FIX_IMAGE,
    ),
    R.TRUNCATED: reason(
        "0xC000",
        (
            "The image ends in the middle of its header.",
            "画像のヘッダーが途中で終わっています。",
        ),
        FIX_IMAGE,
    ),
    R.SEQ_BOMB: reason(
        "0xC000",
        (
            "Sequences in the header are not closed, or nested more than 64 deep.",
            "ヘッダー内のシーケンスが閉じられていないか、64段を超えて入れ子になっています。",
        ),
        FIX_IMAGE,
    ),
    R.META_IN_DATASET: reason(
        "0xC000",
        (
            "A whole DICOM file was sent where only its data set may be.",
            "データセットの代わりに、ファイルメタ情報を含むDICOMファイル全体が送信されました。",
        ),
        FIX_IMAGE,
    ),
    R.GROUP_0: reason(
        "0xC000",
        (
            "The image holds command elements (group 0000).",
            "画像にコマンド要素（グループ0000）が含まれています。",
        ),
        FIX_IMAGE,
    ),
    R.TOO_BIG: reason(
        "0xA700",
        (
            "The image is larger than 4 GB, or its header larger than 16 MiB.",
            "画像が4 GBを超えているか、ヘッダーが16 MiBを超えています。",
        ),
        (
            "HealthImaging cannot import it. Let the device split it, for example into fewer frames.",
            "HealthImagingに取り込めない大きさです。フレームを分けるなど、機器側で分割してください。",
        ),
    ),
    R.STORAGE_FAILED: reason(
        "0xA700",
        (
            "S3 did not confirm the image; `detail` holds its error code.",
            "S3が画像の保存を確認しませんでした。`detail`にエラーコードがあります。",
        ),
        SEND_AGAIN,
    ),
    R.STORE_DEADLINE: reason(
        "0xA700",
        (
            "S3 took longer than the device would wait.",
            "S3への保存が、機器の待ち時間内に完了しませんでした。",
        ),
        SEND_AGAIN,
    ),
    R.LEASE_ENDED: reason(
        "0xA700",
        (
            "The image was complete only after its batch had to be closed.",
            "バッチの締め切りまでに画像の受信が完了しませんでした。",
        ),
        SEND_AGAIN,
    ),
}  # fmt: skip

_REDRIVE = (
    "Redrive it; if it comes back, correct it at the device and send it again.",
    "再取り込みを実行してください。再び隔離される場合は、機器側で修正して再送してください。",
)
_REMEDIES: dict[Q, tuple[str, str]] = {
    Q.IMPORT_REFUSED: (
        "The exception and the named attributes beside the code say why. Correct the image at the device and send it again.",
        "コードの横に表示される例外と属性名が原因です。機器側で画像を修正して再送してください。",
    ),
    Q.JOB_FAILED: _REDRIVE,
    Q.NO_ANSWER: _REDRIVE,
    Q.UNREADABLE_MANIFEST: (
        "Ask support, with the batch's id: the images are there.",
        "バッチIDを添えてサポートに連絡してください。画像は保存されています。",
    ),
    Q.TOO_BIG_FOR_IMPORT: (
        "Let the device split the image and send it again.",
        "機器側で画像を分割して再送してください。",
    ),
}


def quarantine_meaning(code: Q) -> tuple[Text, Text]:
    """Return what a quarantined image's code means, as the dashboard says it, and what to do.

    Raises:
        KeyError: Nobody has said so.
    """
    return MEANINGS[code], Text(*_REMEDIES[code])
