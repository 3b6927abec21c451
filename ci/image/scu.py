"""A sender that keeps its association open while the receiver stops, as a modality in the middle of a study."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage
from pynetdicom import AE
from pynetdicom.association import Association

TEMPORARILY = (2, 3, 1)
"""Rejected transient, by the service provider's presentation layer: temporary congestion (PS3.8 9.3.4)."""
_TIMEOUT_S = 60


@contextmanager
def open_association(port: int, ae_title: str) -> Iterator[Association]:
    """Give an established association; abort it if it is still open at the end.

    Raises:
        ConnectionError: The receiver did not accept it.
    """
    association = _request(port, ae_title)
    if not association.is_established:
        raise ConnectionError(f"no association with 127.0.0.1:{port}")
    try:
        yield association
    finally:
        if association.is_established:
            association.abort()


def rejection(port: int, ae_title: str) -> tuple[int | None, int | None, int | None] | None:
    """Return the result, source and reason of the A-ASSOCIATE-RJ that a new association gets.

    None if it got none: it was accepted, or the connection was.
    """
    association = _request(port, ae_title)
    if association.is_established:
        association.abort()
    answer = association.acceptor.primitive
    if not association.is_rejected or answer is None:
        return None
    return answer.result, answer.result_source, answer.diagnostic


def store(association: Association, part10: Path) -> int | None:
    """Send one instance; return the C-STORE-RSP's status, or None if there was none."""
    status = association.send_c_store(dcmread(part10))
    return int(status.Status) if "Status" in status else None


def _request(port: int, ae_title: str) -> Association:
    ae = AE("IMAGETEST")
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ae.connection_timeout = _TIMEOUT_S
    ae.add_requested_context(SecondaryCaptureImageStorage, ExplicitVRLittleEndian)
    return ae.associate("127.0.0.1", port, ae_title=ae_title)
