"""What a receiver meets in an hour: modalities of every habit, scanners of ports, senders that break off."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.builders import (
    BREAST_TOMOSYNTHESIS,
    CT_IMAGE,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    make_instance,
    new_uid,
)
from tests.raw_scu import (
    SUCCESS,
    VERIFICATION,
    Acks,
    RawAssociation,
    RejectedError,
    contexts_for,
)

CT_BYTES = 512 * 1024
MISMATCH = 0xA900
"""PS3.4 B.2.3: data set does not match SOP class; here the UIDs of command and data set differ."""
GIANT_BYTES = 24 << 20
"""Stored in parts."""


class UnexpectedError(Exception):
    """The receiver answered what it should not have."""


@dataclass(slots=True)
class Tally:
    """What the senders met.

    Attributes:
        acks: What was answered with Success.
        acts: How often each thing was done.
        errors: What was not as it should be.
        latencies_s: Of each honest C-STORE of a CT image, from its first byte to its response.
    """

    acks: Acks = field(default_factory=Acks)
    acts: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)


class MixedLoad:
    """Senders that work for a while whenever they are told to; the parked ones stay associated.

    Args:
        port: Of the receiver.
        seed: Of what is done when.
        parked: Associations that stay open and send an image each time.
    """

    def __init__(self, port: int, *, seed: int, parked: int) -> None:
        self.tally = Tally()
        self._port = port
        self._random = random.Random(seed)  # noqa: S311 - nothing secret
        self._parked = [RawAssociation(port) for _ in range(parked)]
        self._acts: dict[Callable[[], None], int] = {
            self._one_image: 30,
            self._series: 12,
            self._window: 8,
            self._echo: 16,
            self._giant: 1,
            self._refused: 4,
            self._aborted: 4,
            self._vanished: 4,
            self._rejected: 4,
            self._no_dicom: 4,
            self._probe: 12,
        }

    def work(self, seconds: float, *, acts_per_s: float, senders: int = 3) -> None:
        """Do `acts_per_s` things a second on a few threads, for `seconds`."""
        end = time.monotonic() + seconds
        for at in range(len(self._parked)):
            self._do(lambda at=at: self._store_parked(at))  # type: ignore[misc]
        threads = [
            threading.Thread(target=self._send_until, args=(end, senders / acts_per_s))
            for _ in range(senders)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def close(self) -> None:
        """Release the parked associations."""
        for association in self._parked:
            self._do(association.release)
            association.close()

    def _send_until(self, end: float, every_s: float) -> None:
        following = time.monotonic()
        while (now := time.monotonic()) < end:
            # A pace, not a wait for anything: the rate is bounded whatever the receiver does.
            time.sleep(max(0.0, min(following, end) - now))
            following = max(following + every_s, time.monotonic())
            self._do(self._random.choices([*self._acts], [*self._acts.values()])[0])

    def _do(self, act: Callable[[], None]) -> None:
        try:
            act()
        except (OSError, RejectedError, UnexpectedError) as error:
            self.tally.errors.append(f"{getattr(act, '__name__', 'act')}: {error!r}")

    def _store(self, association: RawAssociation, act: str) -> None:
        self.tally.acts[act] += 1
        began = time.monotonic()
        status = association.store(make_instance(size=CT_BYTES))
        self.tally.latencies_s.append(time.monotonic() - began)
        _expect(status)
        self._take(association)

    def _store_parked(self, at: int) -> None:
        try:
            self._store(self._parked[at], "images over parked associations")
        except OSError:
            self._parked[at].close()
            self._parked[at] = RawAssociation(self._port)
            raise

    def _take(self, association: RawAssociation) -> None:
        self.tally.acks.digests |= association.acks.digests
        association.acks.digests.clear()

    def _one_image(self) -> None:
        with RawAssociation(self._port) as association:
            self._store(association, "an association for one image")

    def _series(self) -> None:
        with RawAssociation(self._port) as association:
            for _ in range(5):
                self._store(association, "images of a series")

    def _window(self) -> None:
        instances = [make_instance(size=64_000) for _ in range(16)]
        with RawAssociation(self._port, contexts_for(instances), window=8) as association:
            for status in association.store_all(instances):
                _expect(status)
        self.tally.acts["images in a window of 8"] += len(instances)
        self._take(association)

    def _giant(self) -> None:
        giant = make_instance(size=GIANT_BYTES, sop_class_uid=BREAST_TOMOSYNTHESIS)
        with RawAssociation(self._port, contexts_for([giant])) as association:
            _expect(association.store(giant))
        self.tally.acts["instances in parts"] += 1
        self._take(association)

    def _echo(self) -> None:
        with RawAssociation(self._port, [(VERIFICATION, IMPLICIT_LITTLE)]) as association:
            _expect(association.echo())
        self.tally.acts["C-ECHO"] += 1

    def _refused(self) -> None:
        with RawAssociation(self._port) as association:
            _expect(association.store(make_instance(dataset_uid=new_uid())), MISMATCH)
        self.tally.acts["refused instances"] += 1

    def _aborted(self) -> None:
        self._break_off(RawAssociation.abort)
        self.tally.acts["A-ABORT within an image"] += 1

    def _vanished(self) -> None:
        self._break_off(RawAssociation.close)
        self.tally.acts["gone within an image"] += 1

    def _break_off(self, leave: Callable[[RawAssociation], None]) -> None:
        association = RawAssociation(self._port)
        instance = make_instance(size=CT_BYTES)
        association.send(instance, stop_before_end=association.maximum_length)
        leave(association)

    def _rejected(self) -> None:
        with contextlib.suppress(RejectedError):
            RawAssociation(self._port, [(CT_IMAGE, EXPLICIT_LITTLE)], calling="\x01").close()
            raise UnexpectedError("a calling AE title of control characters was accepted")
        self.tally.acts["rejected associations"] += 1

    def _no_dicom(self) -> None:
        with socket.create_connection(("127.0.0.1", self._port), 10) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: pacs\r\n\r\n")
            while connection.recv(4096):
                pass
        self.tally.acts["HTTP to the DICOM port"] += 1

    def _probe(self) -> None:
        socket.create_connection(("127.0.0.1", self._port), 10).close()
        self.tally.acts["connections without a byte"] += 1


def _expect(status: int, wanted: int = SUCCESS) -> None:
    if status != wanted:
        raise UnexpectedError(f"status {status:04X} instead of {wanted:04X}")
