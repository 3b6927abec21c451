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
_PERMANENT = 1
"""Result of an A-ASSOCIATE-RJ (PS3.8 9.3.4); 2 is one to come back after."""


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
    """Send C-ECHO.

    Args:
        server: Whom to ask.
        deadline: Until when (monotonic) to try again: a new load balancer takes minutes to be reachable.

    Raises:
        RefusedError: Nobody answers, or not with Success.
    """
    association = _answered(server, deadline)
    if not association.is_established:
        raise RefusedError(f"no association with {_where(server)}: {_why(association)}")
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


def see_refused(server: Server, deadline: float, *, called: bool, calling: bool) -> Sequence[str]:
    """See that the server rejects other AE titles; return which.

    Args:
        server: With the titles that it takes.
        deadline: Until when (monotonic) to try again where nobody answers.
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
        association = _answered(stranger, deadline)
        if association.is_established:
            association.release()
            raise RefusedError(f"{_where(server)} does not reject another {name} AE title")
        if not association.is_rejected:
            raise RefusedError(f"another {name} AE title, {_where(server)}: {_why(association)}")
    return list(wanted)


def _answered(server: Server, deadline: float) -> Association:
    """Ask for an association, again until `deadline` where nobody says yes or no for good."""
    while True:
        association = _associate(server)
        answer = association.acceptor.primitive
        refused = association.is_rejected and answer and answer.result == _PERMANENT
        if association.is_established or refused or time.monotonic() > deadline:
            return association
        time.sleep(_RETRY_S)


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
