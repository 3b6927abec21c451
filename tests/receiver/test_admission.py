"""Who may open another association: the task's limit, each sender's part, and places kept for others."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from receiver.admission import KEPT_S, SharedAssociationLimit
from receiver.ports import Origin
from receiver.shared import WAITERS, SharedCells

_RACE = """
import os, sys, threading
from receiver.admission import SharedAssociationLimit
from receiver.ports import Origin
from receiver.shared import SharedCells

SLOTS, THREADS, TRIES, LIMIT = 4, 4, 200, 11
cells = SharedCells(SLOTS)
worst = os.memfd_create("worst")
came, gate = os.pipe(), os.pipe()

def origin():
    name = threading.current_thread().name
    return Origin(association_id='', calling_ae_title=name, called_ae_title='', peer='10.0.0.1')

def contend(limit):
    for _ in range(TRIES):
        if limit.try_enter(origin()) is None:
            if cells.open_associations() > LIMIT:
                os.write(worst, b"x")
            limit.leave(origin())

def fill(limit):
    while cells.open_associations() < LIMIT:
        limit.try_enter(origin())

children = []
for slot in range(SLOTS):
    pid = os.fork()
    if not pid:
        limit = SharedAssociationLimit(cells, slot, LIMIT)
        for work in (contend, fill):
            # The same senders in both: a place that is kept for one must find it again.
            names = map(str, range(THREADS))
            threads = [threading.Thread(target=work, args=(limit,), name=n) for n in names]
            [t.start() for t in threads]
            [t.join() for t in threads]
            if work is contend:  # nobody leaves any more once somebody fills
                os.write(came[1], b"x")
                os.read(gate[0], 1)
        os._exit(0)
    children.append(pid)
for _ in children:
    os.read(came[0], 1)
os.write(gate[1], bytes(SLOTS))
codes = [os.waitpid(pid, 0)[1] for pid in children]
print(codes == [0] * SLOTS, os.fstat(worst).st_size, cells.open_associations() == LIMIT)
"""


def origin(title: str, peer: str = "10.0.0.1") -> Origin:
    """Return a sender."""
    return Origin(association_id="1", calling_ae_title=title, called_ae_title="S", peer=peer)


CT, MR, ROUTER = origin("CT", "10.0.0.2"), origin("MR", "10.0.0.3"), origin("ROUTER")


class Task:
    """Two workers' limits over the same cells, asked in turn, and a clock that a test sets."""

    def __init__(self, cells: SharedCells, maximum: int, **fixed: int) -> None:
        self.now = 1000.0
        self._limits = [
            SharedAssociationLimit(cells, slot, maximum, clock=lambda: self.now, **fixed)
            for slot in range(2)
        ]
        self._inside: list[tuple[int, Origin]] = []
        self._turn = 0

    def enter(self, sender: Origin) -> str:
        """Return why the sender got no place, empty if it got one."""
        self._turn += 1
        slot = self._turn % 2
        reason = self._limits[slot].try_enter(sender)
        if reason is None:
            self._inside.append((slot, sender))
        return "" if reason is None else reason.value

    def leave(self, sender: Origin) -> None:
        """Give one of the sender's places back, at whichever worker it is."""
        slot = next(slot for slot, other in self._inside if other == sender)
        self._inside.remove((slot, sender))
        self._limits[slot].leave(sender)


@pytest.fixture
def cells() -> Iterator[SharedCells]:
    cells = SharedCells(2)
    yield cells
    cells.close()


def test_limit_gives_back_what_was_left(cells: SharedCells) -> None:
    """A place that was left can be entered by another worker."""
    task = Task(cells, 1)
    assert [task.enter(CT), task.enter(CT)] == ["", "limit"]

    task.leave(CT)

    assert task.enter(CT) == ""


def test_whoever_is_alone_has_every_place(cells: SharedCells) -> None:
    """A router or a migration may open all associations from one address with one title."""
    task = Task(cells, 300)

    assert {task.enter(ROUTER) for _ in range(300)} == {""}
    assert task.enter(ROUTER) == "limit"


@pytest.mark.parametrize(
    ("fixed", "refused", "taken", "reason"),
    [
        ({"per_ae_title": 2}, origin("CT", "10.9.9.9"), origin("MR", "10.0.0.2"), "aet_limit"),
        ({"per_address": 2}, origin("MR", "10.0.0.2"), origin("CT", "10.9.9.9"), "address_limit"),
    ],
    ids=["title", "address"],
)
def test_fixed_limits_count_over_all_workers(
    cells: SharedCells, fixed: dict[str, int], refused: Origin, taken: Origin, reason: str
) -> None:
    """Per title whatever the address, per address whatever the title; places given back count no more."""
    task = Task(cells, 10, **fixed)
    assert [task.enter(CT), task.enter(CT)] == ["", ""]

    assert [task.enter(refused), task.enter(taken)] == [reason, ""]

    task.leave(CT)
    assert task.enter(refused) == ""


def test_next_free_place_is_kept_for_who_was_refused(cells: SharedCells) -> None:
    """A sender that has filled the task gets no place that another waits for, and all others."""
    task = Task(cells, 4)
    for _ in range(4):
        task.enter(ROUTER)
    assert task.enter(CT) == "limit"

    task.leave(ROUTER)
    assert task.enter(ROUTER) == "aet_limit"
    task.leave(ROUTER)
    assert task.enter(ROUTER) == "", "one place is free besides the one that is kept"
    assert task.enter(ROUTER) == "aet_limit"

    assert task.enter(CT) == ""
    assert task.enter(CT) == "limit", "it has less than its share: it waits again"
    task.leave(ROUTER)
    assert [task.enter(ROUTER), task.enter(CT)] == ["aet_limit", ""]


def test_device_that_changes_its_title_is_known_by_its_address(cells: SharedCells) -> None:
    """A title is whatever the sender says it is."""
    task = Task(cells, 4)
    for number in range(4):
        task.enter(origin(f"CT{number}"))
    assert task.enter(MR) == "limit"

    task.leave(origin("CT0"))

    assert task.enter(origin("CT9")) == "address_limit"
    assert task.enter(MR) == ""


def test_place_is_kept_for_a_while_only(cells: SharedCells) -> None:
    """Who never comes back keeps nobody out."""
    task = Task(cells, 2)
    for _ in range(2):
        task.enter(ROUTER)
    task.enter(CT)
    task.leave(ROUTER)
    assert task.enter(ROUTER) == "aet_limit"

    task.now += KEPT_S + 1

    assert task.enter(ROUTER) == ""


def test_who_has_its_share_does_not_wait(cells: SharedCells) -> None:
    """A sender that is refused beyond its equal share takes nothing from the others."""
    task = Task(cells, 4)
    for sender in (CT, CT, MR, MR):
        task.enter(sender)
    assert task.enter(MR) == "limit"

    task.leave(CT)

    assert task.enter(CT) == ""


def test_more_waiting_senders_than_are_remembered(cells: SharedCells) -> None:
    """The one that has waited longest is forgotten; nothing else happens."""
    task = Task(cells, 2)
    task.enter(ROUTER)
    task.enter(ROUTER)
    for number in range(WAITERS + 1):
        task.now += 0.5
        assert task.enter(origin(f"CT{number}", f"10.1.0.{number}")) == "limit"
    task.leave(ROUTER)

    assert task.enter(ROUTER) == "aet_limit"
    assert task.enter(origin("CT0", "10.1.0.0")) == ""


def test_places_of_a_dead_worker_are_free(cells: SharedCells) -> None:
    """The parent zeroes its count, and its senders' rows with it."""
    dead, alive = (SharedAssociationLimit(cells, slot, 2, per_ae_title=2) for slot in (0, 1))
    for _ in range(2):
        assert dead.try_enter(CT) is None
    assert alive.try_enter(CT) is not None

    cells.forget_associations(0)

    assert [alive.try_enter(CT), alive.try_enter(CT)] == [None, None]


def test_limit_is_exact_under_racing_processes_and_threads() -> None:
    """Sixteen threads of four processes never hold more than the limit, and do reach it."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _RACE],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (run.stdout.strip(), run.stderr) == ("True 0 True", "")
