"""Delivers answers: N-EVENT-REPORTs on an association that we open, as its SCP (PS3.4 J.3.3).

pynetdicom does it: nobody's images wait for it, and its timeouts hold.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pynetdicom import AE, build_role
from pynetdicom.association import Association
from pynetdicom.status import STATUS_SUCCESS, STATUS_WARNING, code_to_category

from receiver.commitment.report import INSTANCE, SOP_CLASS
from receiver.peers import Peer
from receiver.syntaxes import MESSAGE_SYNTAXES

CONNECT_S = 10.0
ASSOCIATE_S = 30.0
PAUSE_S = 20.0
PAUSE_AGAIN_S = 0.5

for _name in ("pynetdicom", "pydicom"):
    # They would quote what a device sent.
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True)
class Report:
    """One N-EVENT-REPORT."""

    event_type: int
    information: Dataset


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a report.

    Attributes:
        status: Of the N-EVENT-REPORT-RSP; None if there was none.
        detail: Why there was none; never what the peer has sent.
    """

    status: int | None = None
    detail: str = ""

    @property
    def is_taken(self) -> bool:
        """Whether the requester has the answer."""
        return self.status is not None and code_to_category(self.status) in (
            STATUS_SUCCESS,
            STATUS_WARNING,
        )


def deliver(
    peer: Peer, own_ae_title: str, reports: Sequence[Report], *, response_s: float
) -> list[Outcome]:
    """Send reports on one association; return an outcome for each. Never raises.

    Args:
        peer: Whom to tell.
        own_ae_title: By which the peer knows us: the one that it called.
        reports: In their order; the first that is not answered ends it.
        response_s: Time for each response.
    """
    outcomes: list[Outcome] = []
    try:
        outcomes.extend(_deliver(peer, own_ae_title, reports, response_s))
    except Exception as error:  # noqa: BLE001 - whatever the library meets, the answer is tried again
        outcomes.append(Outcome(detail=type(error).__name__))
    detail = outcomes[-1].detail if outcomes else "nothing sent"
    return outcomes + [Outcome(detail=detail)] * (len(reports) - len(outcomes))


def pause(association: Association) -> None:
    """Stop the library's reactor, as its own `send_...` and `release` are about to.

    They wait for it without an end, and on a busy machine pynetdicom 3.0.4 can miss that it is asked: its
    thread then sleeps, nobody is told, and the caller spins for ever. Here it is asked again.

    Raises:
        TimeoutError: It cannot be stopped; the association is of no use.
    """
    checkpoint = association._reactor_checkpoint  # noqa: SLF001 - its only form
    until = time.monotonic() + PAUSE_S
    while time.monotonic() < until:
        checkpoint.set()
        time.sleep(0.01)  # it runs
        checkpoint.clear()
        asked = time.monotonic() + PAUSE_AGAIN_S
        while time.monotonic() < asked:
            if association._is_paused:  # noqa: SLF001 - its only form
                return
            time.sleep(0.001)
    raise TimeoutError("pynetdicom's reactor")


def _deliver(
    peer: Peer, own_ae_title: str, reports: Sequence[Report], response_s: float
) -> list[Outcome]:
    entity = AE(ae_title=own_ae_title)
    entity.connection_timeout = CONNECT_S
    entity.acse_timeout = ASSOCIATE_S
    entity.dimse_timeout = response_s
    entity.network_timeout = response_s
    entity.add_requested_context(SOP_CLASS, list(MESSAGE_SYNTAXES))
    # As requestor we would be the SCU: that we are the SCP has to be agreed (PS3.7 D.3.3.4).
    role = build_role(SOP_CLASS, scu_role=False, scp_role=True)
    association = entity.associate(peer.host, peer.port, ae_title=peer.ae_title, ext_neg=[role])
    if not association.is_established:
        return [
            Outcome(detail="association rejected" if association.is_rejected else "no association")
        ]
    try:
        return _report(association, reports)
    finally:
        if association.is_established:
            pause(association)
            association.release()


def _report(association: Association, reports: Sequence[Report]) -> list[Outcome]:
    if not any(context.as_scp for context in association.accepted_contexts):
        return [Outcome(detail="SCP role not accepted")]
    outcomes = []
    for report in reports:
        pause(association)
        status, _ = association.send_n_event_report(
            report.information, report.event_type, SOP_CLASS, INSTANCE
        )
        if "Status" not in status:
            outcomes.append(Outcome(detail="no response"))
            break
        outcomes.append(Outcome(status=int(status.Status)))
    return outcomes
