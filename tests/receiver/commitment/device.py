"""A device that asks for storage commitment: pynetdicom as SCU, and as the one that takes reports."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.pdu import P_DATA_TF

from receiver.commitment.delivery import pause
from receiver.commitment.report import INSTANCE, SOP_CLASS
from tests.builders import Instance, new_uid
from tests.deadline import wait_until

SUCCESS = 0x0000
Reference = tuple[str, str]


@dataclass(frozen=True)
class Report:
    """An N-EVENT-REPORT as it came.

    Attributes:
        transaction: Transaction UID.
        event_type: 1 or 2.
        committed: SOP Instance UIDs.
        failed: Failure reasons by SOP Instance UID.
        called_us: Whether it came on an association that the receiver opened.
        calling: The AE title that the receiver then gave.
    """

    transaction: str
    event_type: int
    committed: frozenset[str]
    failed: dict[str, int]
    called_us: bool
    calling: str


def reference_of(instance: Instance) -> Reference:
    """Return the reference to an instance."""
    return instance.sop_class_uid, instance.sop_instance_uid


def information(
    references: Iterable[Reference], transaction: str | None = None, **changes: object
) -> Dataset:
    """Return an Action Information."""
    dataset = Dataset()
    dataset.TransactionUID = transaction or new_uid()
    items = []
    for sop_class, sop_instance in references:
        item = Dataset()
        item.ReferencedSOPClassUID = sop_class
        item.ReferencedSOPInstanceUID = sop_instance
        items.append(item)
    dataset.ReferencedSOPSequence = Items(items)
    for name, value in changes.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    return dataset


@dataclass
class Device:
    """One device.

    Attributes:
        port: Where it takes reports, also while it does not.
        title: Its AE title.
        reports: Taken so far, in their order.
        answer: Returns the status for a report.
        takes_role: Whether it accepts that the receiver is the SCP.
    """

    port: int
    title: str = "CT1"
    reports: list[Report] = field(default_factory=list)
    answer: Callable[[Report], int] = lambda _: SUCCESS
    takes_role: bool = True
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def peer(self) -> str:
        """Return its line in COMMITMENT_PEERS."""
        return f"{self.title}=127.0.0.1:{self.port}"

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take reports on the device's port."""
        entity = AE(self.title)
        entity.require_called_aet = True
        role = True if self.takes_role else None
        entity.add_supported_context(SOP_CLASS, scu_role=role, scp_role=role)
        server = entity.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=self._handlers(called_us=True)
        )
        assert server is not None
        try:
            yield
        finally:
            server.shutdown()

    @contextmanager
    def association(
        self, port: int, called: str = "STORESCP", **limits: Any
    ) -> Iterator[Association]:
        """Associate with the receiver; released at the end if it is still open."""
        entity = AE(self.title)
        entity.maximum_pdu_size = limits.get("maximum_pdu_size", 16_382)
        entity.add_requested_context(SOP_CLASS)
        association = entity.associate(
            "127.0.0.1", port, ae_title=called, evt_handlers=self._handlers(called_us=False)
        )
        try:
            yield association
        finally:
            if association.is_established:
                pause(association)
                association.release()

    def ask(self, port: int, references: Sequence[Reference], transaction: str = "") -> str:
        """Ask and go; return the Transaction UID.

        Raises:
            AssertionError: The request was refused.
        """
        transaction = transaction or new_uid()
        with self.association(port) as association:
            assert ask_on(association, information(references, transaction)) == SUCCESS
        return transaction

    def wait_report(self, transaction: str, *, within_s: float = 20.0) -> Report:
        """Return the first report of a transaction.

        Raises:
            AssertionError: There is none in time.
        """
        return wait_until(
            lambda: next((r for r in list(self.reports) if r.transaction == transaction), None),
            f"the report of {transaction}",
            within_s=within_s,
        )

    def _handlers(self, *, called_us: bool) -> list[Any]:
        """Return handlers that publish a report once its response is on the wire.

        What a test does next, a release perhaps, must not come between the two.
        """
        taken: dict[Any, Report] = {}

        def take(event: Any) -> tuple[int, None]:
            found = event.event_information
            report = Report(
                transaction=str(found.TransactionUID),
                event_type=int(event.event_type),
                committed=frozenset(
                    str(item.ReferencedSOPInstanceUID)
                    for item in found.get("ReferencedSOPSequence", ())
                ),
                failed={
                    str(item.ReferencedSOPInstanceUID): int(item.FailureReason)
                    for item in found.get("FailedSOPSequence", ())
                },
                called_us=called_us,
                calling=event.assoc.requestor.ae_title,
            )
            status = self.answer(report)
            if status == SUCCESS:
                with self._lock:
                    taken[event.assoc] = report
            return status, None

        def publish(event: Any) -> None:
            if isinstance(event.pdu, P_DATA_TF):
                with self._lock:
                    if (report := taken.pop(event.assoc, None)) is not None:
                        self.reports.append(report)

        return [(evt.EVT_N_EVENT_REPORT, take), (evt.EVT_PDU_SENT, publish)]


def ask_on(association: Association, action: Dataset | None, **command: Any) -> int | None:
    """Send an N-ACTION-RQ; return the status, None without a response."""
    wanted = {"class_uid": SOP_CLASS, "instance_uid": INSTANCE, "action_type": 1, **command}
    pause(association)
    status, _ = association.send_n_action(action, meta_uid=SOP_CLASS, **wanted)
    return int(status.Status) if "Status" in status else None
