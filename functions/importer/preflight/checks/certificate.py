"""Whether the load balancer can use the certificate."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from importer.preflight.facts import Certificate
from importer.preflight.problems import Problem, fault, warning
from importer.preflight.properties import CERTIFICATE
from importer.preflight.request import Stack

REFUSED_KEYS = frozenset({"RSA_4096"})
"""What ACM holds and a Network Load Balancer does not take (ELB user guide for NLBs, "Server certificates":
RSA 1024 to 3072, ECDSA 256 to 521)."""
SOON = timedelta(days=30)

_REMEDIES = {
    "PENDING_VALIDATION": (
        "finish its DNS or e-mail validation in ACM first",
        "先にACMでDNSまたはEメールによる検証を完了",
    ),
    "EXPIRED": ("renew or import it again", "更新または再インポート"),
}
_OTHER_REMEDY = ("choose an issued certificate", "発行済みの証明書を指定")


def check_arn(arn: str, stack: Stack) -> Iterator[Problem]:
    """Check what the ARN itself says: Region and account."""
    parts = arn.split(":")
    region, account = (parts[3], parts[4]) if len(parts) > 4 else ("", "")  # noqa: PLR2004 - of an ARN
    if region != stack.region:
        yield fault(
            CERTIFICATE,
            en=f"{CERTIFICATE}: the certificate is of Region {region}, the stack of {stack.region}; request "
            "or import it in ACM of this Region.",
            ja=f"{CERTIFICATE}の証明書は別のリージョン（{region}）のものであるため、"
            f"スタックと同じ{stack.region}のACMで証明書を発行またはインポートしてください。",
        )
    elif account != stack.account:
        yield fault(
            CERTIFICATE,
            en=f"{CERTIFICATE}: the certificate belongs to account {account}; request or import it in this "
            f"account ({stack.account}).",
            ja=f"{CERTIFICATE}の証明書は別のアカウント（{account}）のものであるため、"
            f"このアカウント（{stack.account}）で証明書を発行またはインポートしてください。",
        )


def check_certificate(
    arn: str, certificate: Certificate | None, now: datetime
) -> Iterator[Problem]:
    """Check the certificate of a good ARN."""
    name = arn.rpartition("/")[2]
    if certificate is None:
        yield fault(
            CERTIFICATE,
            en=f"{CERTIFICATE}: ACM of this Region has no certificate {name}; copy the ARN again.",
            ja=f"{CERTIFICATE}の証明書（{name}）がこのリージョンのACMに存在しないため、ARNを確認してください。",
        )
    elif certificate.status != "ISSUED":
        en, ja = _REMEDIES.get(certificate.status, _OTHER_REMEDY)
        yield fault(
            CERTIFICATE,
            en=f"{CERTIFICATE}: certificate {name} is {certificate.status}, not ISSUED; {en}.",
            ja=f"{CERTIFICATE}の証明書（{name}）の状態がISSUED（発行済み）ではなく{certificate.status}であるため、{ja}してください。",
        )
    elif certificate.key_algorithm in REFUSED_KEYS:
        yield fault(
            CERTIFICATE,
            en=f"{CERTIFICATE}: a Network Load Balancer takes no {certificate.key_algorithm} key; use a "
            "certificate with RSA 2048 or ECDSA P-256.",
            ja=f"{CERTIFICATE}の証明書の鍵（{certificate.key_algorithm}）はNetwork Load Balancerで使用できないため、"
            "RSA 2048またはECDSA P-256の証明書を指定してください。",
        )
    else:
        yield from _check_validity(name, certificate, now)


def _check_validity(name: str, certificate: Certificate, now: datetime) -> Iterator[Problem]:
    end = certificate.not_after
    if end is None:
        return
    if end <= now:
        yield fault(
            CERTIFICATE,
            en=f"{CERTIFICATE}: certificate {name} expired on {end:%Y-%m-%d}; renew or import it again.",
            ja=f"{CERTIFICATE}の証明書（{name}）は{end:%Y-%m-%d}に有効期限が切れているため、更新または再インポートしてください。",
        )
    elif end - now < SOON and not certificate.renews:
        yield warning(
            CERTIFICATE,
            en=f"{CERTIFICATE}: certificate {name} expires on {end:%Y-%m-%d} and ACM does not renew it; "
            "import a new one in time.",
            ja=f"{CERTIFICATE}の証明書（{name}）は{end:%Y-%m-%d}に期限が切れ、ACMでは自動更新されないため、"
            "期限までに新しい証明書をインポートしてください。",
        )
