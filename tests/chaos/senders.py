"""Modalities that send and try again: processes of some associations each, which note what was promised."""

from __future__ import annotations

import multiprocessing
import random
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from tests.builders import CT_IMAGE, EXPLICIT_LITTLE
from tests.chaos.images import Image, Kind, images
from tests.harness.acks import ContentLog
from tests.raw_scu import SUCCESS, RawAssociation, RejectedError

TRIES = 8
"""Of one image; a modality that gives up shows it to its operator, who has it still."""
PAUSE_S = (0.05, 0.8)
ANSWER_S = 20.0
"""How long a sender waits for an answer: twice the DIMSE timeout that the receiver is given."""
ASSOCIATION = (1, 300)
"""Images of one association, if nothing breaks it."""
WINDOWS = (None, None, 8)
"""Asynchronous operations that are proposed."""
CUT_SHORT = 0.002
"""Share of images whose sender vanishes in the middle."""


@dataclass(slots=True)
class _Waiting:
    """An image that is not acknowledged yet."""

    image: Image
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Orders:
    """What all senders share.

    Attributes:
        port: Of the receiver.
        folder: For their logs.
        paused: Nothing is sent while it is set.
        stopping: Nothing new is sent once it is set; what is under way is tried to its end.
    """

    port: int
    folder: Path
    paused: Event
    stopping: Event


class Sender:
    """One modality, on a thread of its own; `seed` decides what it sends and how, `name` is its logs'."""

    def __init__(self, orders: Orders, name: str, seed: int) -> None:
        self._orders = orders
        self._chance = random.Random(seed)  # noqa: S311 - replayable, no secret
        self._images = images(self._chance)
        self._offered = ContentLog(orders.folder / f"{name}.offered", durable=False)
        self._acked = ContentLog(orders.folder / f"{name}.acked", durable=True)
        self._left: deque[_Waiting] = deque()

    def run(self) -> None:
        """Send until told to stop, then what is left."""
        while self._left or not self._orders.stopping.is_set():
            if self._orders.paused.is_set() and not self._orders.stopping.is_set():
                time.sleep(0.05)
                continue
            try:
                self._associate()
            except (OSError, RejectedError):
                time.sleep(self._chance.uniform(*PAUSE_S))
        self._offered.close()
        self._acked.close()

    def _associate(self) -> None:
        window = self._chance.choice(WINDOWS)
        number = self._chance.randint(*ASSOCIATION)
        context = [(CT_IMAGE, EXPLICIT_LITTLE)]
        outstanding: deque[_Waiting] = deque()
        try:
            with RawAssociation(
                self._orders.port, context, window=window, timeout_s=ANSWER_S
            ) as association:
                for waiting in self._next(number):
                    outstanding.append(waiting)
                    self._send(association, waiting)
                    if len(outstanding) >= association.window:
                        self._answer(association, outstanding)
                while outstanding:
                    self._answer(association, outstanding)
        finally:
            # Whatever was not answered is sent again, as a modality does.
            self._left.extend(waiting for waiting in outstanding if waiting.tries < TRIES)

    def _next(self, number: int) -> Iterator[_Waiting]:
        for _ in range(number):
            if self._left:
                yield self._left.popleft()
            elif self._orders.stopping.is_set() or self._orders.paused.is_set():
                return
            else:
                yield _Waiting(next(self._images))

    def _send(self, association: RawAssociation, waiting: _Waiting) -> None:
        instance = waiting.image.instance
        waiting.tries += 1
        self._offered.add(waiting.image.content)
        if self._chance.random() < CUT_SHORT:
            association.send(instance, stop_before_end=max(instance.size // 2, 1))
            raise ConnectionError("vanished on purpose")
        association.send(instance)

    def _answer(self, association: RawAssociation, outstanding: deque[_Waiting]) -> None:
        status = association.read_response().status
        waiting = outstanding.popleft()
        if status == SUCCESS:
            self._acked.add(waiting.image.content)
        elif waiting.image.kind is not Kind.MISMATCHED and waiting.tries < TRIES:
            self._left.append(waiting)
            time.sleep(self._chance.uniform(*PAUSE_S))


def start_senders(
    port: int, folder: Path, *, seed: int, processes: int, associations: int
) -> Senders:
    """Start them; each process holds so many associations."""
    context = multiprocessing.get_context("spawn")
    orders = Orders(port, folder, context.Event(), context.Event())
    started: list[Any] = []
    for n in range(processes):
        process = context.Process(
            target=_run, args=(orders, n, seed * 1000 + n * 100, associations), name=f"sender-{n}"
        )
        process.start()
        started.append(process)
    return Senders(started, orders)


@dataclass(frozen=True, slots=True)
class Senders:
    """All that send."""

    processes: list[Any]
    orders: Orders

    def stop(self, within_s: float) -> bool:
        """Let them finish; False if some did not in time, and were killed."""
        self.orders.stopping.set()
        end = time.monotonic() + within_s
        for process in self.processes:
            process.join(max(end - time.monotonic(), 0.1))
        late = [process for process in self.processes if process.is_alive()]
        for process in late:
            process.kill()
        return not late and all(process.exitcode == 0 for process in self.processes)


def _run(orders: Orders, number: int, seed: int, associations: int) -> None:
    broken = threading.Event()

    def send(n: int) -> None:
        try:
            Sender(orders, f"{number}-{n}", seed + n).run()
        except BaseException:
            broken.set()
            raise

    threads = [threading.Thread(target=send, args=(n,)) for n in range(associations)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.exit(broken.is_set())
