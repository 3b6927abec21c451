"""TLS in the receiver: what is accepted (BCP 195, mutual), and by what code a refusal is known.

PS3.15 B.12 (BCP 195 RFC 8996, 9325 TLS Secure Transport Connection Profile): TLS 1.2 and 1.3 and nothing
older, certificates on both sides. The context is built in each worker, after the fork.
"""

from __future__ import annotations

import os
import ssl
from typing import Self

from contract.reasons import WireReason
from receiver.settings import Settings

HANDSHAKE_S = 4.5
"""For the whole handshake; the watchdog looks twice a second, so the peer is cut in 5 s."""
CIPHERS = "@SECLEVEL=2:ECDHE+AESGCM"
"""For TLS 1.2 the four suites that RFC 9325, section 4.2, recommends; TLS 1.3 has only good ones."""
FIRST_BYTE_OF_TLS = 0x16
"""A handshake record (RFC 8446, section 5.1)."""

_VERIFICATION = {
    **dict.fromkeys((9, 10), WireReason.TLS_EXPIRED),
    **dict.fromkeys((2, 18, 19, 20, 21), WireReason.TLS_UNKNOWN_CA),
}
"""By the codes of X509_verify_cert (OpenSSL, X509_STORE_CTX_get_error)."""
_OLD = ("UNSUPPORTED_PROTOCOL", "UNKNOWN_PROTOCOL", "VERSION_TOO_LOW", "WRONG_SSL_VERSION")
_NOT_ITS_KEY = frozenset({"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"})
_REASONS = {
    "NO_SHARED_CIPHER": WireReason.TLS_CIPHER,
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": WireReason.TLS_NO_CERTIFICATE,
    "WRONG_VERSION_NUMBER": WireReason.TLS_VERSION,
    **dict.fromkeys(_OLD, WireReason.TLS_VERSION),
}


class TlsSettingsError(Exception):
    """Certificate, key or CA cannot be used; the message names the variable and holds nothing of it."""


class HandshakeError(Exception):
    """The TLS handshake failed.

    Attributes:
        reason: Stable code for log and metric.
        detail: OpenSSL's name of the error; nothing that the peer sent.
    """

    def __init__(self, reason: WireReason, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")

    @classmethod
    def closed(cls, *, after: int) -> Self:
        """Return the error of a peer that went away after so many bytes."""
        return cls(WireReason.TLS_HANDSHAKE, f"connection ended after {after} bytes")


def make_context(settings: Settings) -> ssl.SSLContext | None:
    """Return what every handshake is held to; None where the settings ask for no TLS.

    Raises:
        TlsSettingsError: Certificate, key or CA cannot be used.
    """
    if not settings.uses_tls:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.verify_mode = ssl.CERT_REQUIRED
    # Whatever is listed is trusted: an issuing CA without its root, a device's self-signed certificate.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.options |= ssl.OP_NO_RENEGOTIATION
    # No tickets: each association is verified anew, and associations are long.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    try:
        context.load_verify_locations(cadata=settings.tls_client_ca)
    except (ssl.SSLError, ValueError) as error:
        raise TlsSettingsError(f"TLS_CLIENT_CA cannot be read ({_name(error)}).") from None
    _load_own(context, settings)
    return context


def classify(error: ssl.SSLError, first_byte: int) -> tuple[WireReason, str]:
    """Return code and detail of a handshake that failed.

    Args:
        error: From `do_handshake`.
        first_byte: That the peer sent.
    """
    name = _name(error)
    if first_byte != FIRST_BYTE_OF_TLS and name not in _OLD:  # SSL 2.0 begins otherwise too
        return WireReason.TLS_PLAINTEXT, name
    if isinstance(error, ssl.SSLCertVerificationError):
        known = _VERIFICATION.get(error.verify_code, WireReason.TLS_CERTIFICATE)
        return known, error.verify_message
    if is_alert(name):
        return WireReason.TLS_ALERT, name
    return _REASONS.get(name, WireReason.TLS_HANDSHAKE), name


def is_alert(name: str) -> bool:
    """Return whether an error's name says that the peer sent a fatal alert."""
    return "_ALERT_" in name


def _load_own(context: ssl.SSLContext, settings: Settings) -> None:
    """Load certificate and key from memory: OpenSSL takes files only, and no disk shall have the key."""
    memory = os.memfd_create("tls")
    try:
        with os.fdopen(os.dup(memory), "wb") as file:
            file.write(f"{settings.tls_private_key}\n{settings.tls_certificate}\n".encode())
        context.load_cert_chain(f"/proc/self/fd/{memory}", password=_no_passphrase)
    except ssl.SSLError as error:
        if error.reason in _NOT_ITS_KEY:
            raise TlsSettingsError("TLS_PRIVATE_KEY is not the key of TLS_CERTIFICATE.") from None
        raise TlsSettingsError(
            f"TLS_CERTIFICATE or TLS_PRIVATE_KEY cannot be read ({_name(error)})."
        ) from None
    finally:
        os.close(memory)


def _no_passphrase() -> str:
    """Answer for OpenSSL, which would ask at the terminal."""
    raise TlsSettingsError("TLS_PRIVATE_KEY has a passphrase: give the key without one.")


def _name(error: Exception) -> str:
    return str(getattr(error, "reason", None) or type(error).__name__)
