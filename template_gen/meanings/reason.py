"""What docs/ say of one reason code."""

from __future__ import annotations

from dataclasses import dataclass

from contract.text import Text


@dataclass(frozen=True, slots=True)
class Reason:
    """What a code means to whoever reads it in a log, a record or on the dashboard.

    Attributes:
        answer: What the sender is answered: `A-ABORT`, `RJ result,source,reason`, a status, or `closed`.
        meaning: What has happened.
        remedy: What to do.
    """

    answer: str
    meaning: Text
    remedy: Text


def reason(answer: str, meaning: tuple[str, str], remedy: tuple[str, str]) -> Reason:
    """Return a reason from its sentences, English and Japanese."""
    return Reason(answer, Text(*meaning), Text(*remedy))


CHECK_DEVICE = (
    "Ask the device's vendor, with the log line.",
    "ログの該当行を添えて、機器ベンダーに問い合わせてください。",
)
CHECK_LINE = (
    "Look at the network between device and AWS if it happens often.",
    "頻発する場合は、機器とAWSの間のネットワークを確認してください。",
)
SEND_AGAIN = (
    "The device keeps the image: let it send again.",
    "画像は機器側に残っているため、再送してください。",
)
ASK_SUPPORT = (
    "The device keeps the image: let it send again. Give support the log line.",
    "画像は機器側に残っているため、再送してください。ログの該当行をサポートに送付してください。",
)
FIX_IMAGE = (
    "The bytes are kept under `refused/`. Ask the device's vendor, with the log line.",
    "データは`refused/`に保存されています。ログの該当行を添えて、機器ベンダーに問い合わせてください。",
)
