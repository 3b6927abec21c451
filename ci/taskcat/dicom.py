"""A device that echoes, stores one instance, and sees whom the server refuses."""

from __future__ import annotations

import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at import

STRANGER = "STRANGER"
_RETRY_S = 2.0
_SUCCESS = 0x0000


class RefusedError(Exception):
    """The server did not do what it must; the message says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where a device connects to.

    Attributes:
        host: Name or address, as the stack's output says.
        port: TCP port.
        called_ae_title: Of the server.
        calling_ae_title: Of the device.
        certificate: What the server must show, PEM; empty for plain TCP.
    """

    host: str
    port: int
    called_ae_title: str
    calling_ae_title: str
    certificate: str = ""


def echo(server: Server, deadline: float) -> None:
    """Send C-ECHO, again until `deadline` (monotonic): a new load balancer takes minutes to be reachable.

    Raises:
        RefusedError: Nobody answers, or not with Success.
    """
    while True:
        association = _associate(server)
        if association.is_established:
            break
        if time.monotonic() > deadline:
            raise RefusedError(f"no association with {_where(server)}: {_why(association)}")
        time.sleep(_RETRY_S)
    status = association.send_c_echo().get("Status")
    association.release()
    if status != _SUCCESS:
        raise RefusedError(f"C-ECHO to {_where(server)}: status {_text(status)}")


def store(server: Server, sample: Path) -> None:
    """Send C-STORE.

    Raises:
        RefusedError: The answer is not Success.
    """
    association = _associate(server)
    if not association.is_established:
        raise RefusedError(f"no association with {_where(server)}: {_why(association)}")
    status = association.send_c_store(sample).get("Status")
    association.release()
    if status != _SUCCESS:
        raise RefusedError(f"C-STORE to {_where(server)}: status {_text(status)}")


def see_refused(server: Server, *, called: bool, calling: bool) -> Sequence[str]:
    """See that the server rejects other AE titles; return which.

    Args:
        server: With the titles that it takes.
        called: Whether it checks the called one.
        calling: Whether it checks the calling one.

    Raises:
        RefusedError: It takes another.
    """
    strangers = {
        "called": (called, replace(server, called_ae_title=STRANGER)),
        "calling": (calling, replace(server, calling_ae_title=STRANGER)),
    }
    wanted = {name: stranger for name, (is_wanted, stranger) in strangers.items() if is_wanted}
    for name, stranger in wanted.items():
        association = _associate(stranger)
        if association.is_established:
            association.release()
        if not association.is_rejected:
            raise RefusedError(f"{_where(server)} does not reject another {name} AE title")
    return list(wanted)


def _associate(server: Server) -> Association:
    ae = AE(ae_title=server.calling_ae_title)
    contexts = [
        build_context(Verification),
        build_context(SecondaryCaptureImageStorage, [ExplicitVRLittleEndian]),
    ]
    tls = (_trusting(server.certificate), None) if server.certificate else None
    return ae.associate(
        server.host,
        server.port,
        contexts=contexts,
        ae_title=server.called_ae_title,
        tls_args=tls,  # type: ignore[arg-type]  # None as the name to send is what the library documents
    )


def _trusting(certificate: str) -> ssl.SSLContext:
    """Trust this one certificate: its name is the hospital's, not the load balancer's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=certificate)
    return context


def _where(server: Server) -> str:
    return f"{server.host} port {server.port} (AE title {server.called_ae_title})"


def _why(association: Association) -> str:
    if association.is_rejected:
        answer = association.acceptor.primitive
        return f"rejected, {answer.reason_str if answer else 'no reason given'}"
    return "nobody answers, or TLS fails"


def _text(status: int | None) -> str:
    return "none" if status is None else f"{status:04X}"
