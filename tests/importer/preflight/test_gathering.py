from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from botocore.exceptions import ClientError

from importer.preflight.gathering import NO_TIME, Findings, Time, gather
from importer.preflight.problems import Problem, fault
from importer.preflight.topics import Topic

FOUND = fault("VpcID", en="Wrong.", ja="誤りです。")


@dataclass
class FakeSleep:
    """Remembers waits and lets the clock jump."""

    now: float = 0.0
    waits: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def in_time(limit_s: float = 20.0) -> Time:
    return Time(clock=time.monotonic, sleep=time.sleep, until=time.monotonic() + limit_s)


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, "Describe")


def failing(*errors: Exception) -> Callable[[], list[Problem]]:
    """Return work that raises each of `errors` once, then finds something."""
    left = iter(errors)

    def work() -> list[Problem]:
        for error in left:
            raise error
        return [FOUND]

    return work


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_problems_come_in_the_topics_order(release: threading.Event) -> None:
    """Whatever order they end in: the first topic's problem is what the console shows."""
    first = fault("VpcID", en="First.", ja="一。")

    def slow() -> list[Problem]:
        release.wait(10)
        return [first]

    def quick() -> list[Problem]:
        release.set()
        return [FOUND]

    findings = gather([Topic("slow", slow), Topic("quick", quick)], in_time())

    assert findings == Findings(problems=(first, FOUND), notes={})


@pytest.mark.parametrize(
    ("error", "note"),
    [
        (refused("ThrottlingException"), "ThrottlingException"),
        (TimeoutError(), "TimeoutError"),
        (KeyError("Subnets"), "KeyError"),
    ],
    ids=["throttled", "timed out", "a bug"],
)
def test_topic_that_breaks_is_a_note(error: Exception, note: str) -> None:
    """It finds nothing, and the others find what they find."""
    topics = [Topic("broken", failing(error)), Topic("sound", lambda: [FOUND])]

    assert gather(topics, in_time()) == Findings(problems=(FOUND,), notes={"broken": note})


def test_topic_that_hangs_is_a_note(release: threading.Event) -> None:
    """The answer does not wait for it."""

    def hang() -> list[Problem]:
        release.wait(60)
        return []

    began = time.monotonic()
    findings = gather([Topic("hangs", hang), Topic("sound", lambda: [FOUND])], in_time(0.5))

    assert findings == Findings(problems=(FOUND,), notes={"hangs": NO_TIME})
    assert time.monotonic() - began < 10


def test_no_time_is_no_reason_to_hang() -> None:
    """Without a second left the answer still comes."""
    findings = gather([Topic("one", list)], in_time(-1.0))

    assert findings.problems == ()


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"])
def test_permission_that_is_seconds_old_is_waited_for(code: str) -> None:
    """IAM tells the services of a new role by and by."""
    fake = FakeSleep()
    topic = Topic("new role", failing(refused(code), refused(code)))

    findings = gather([topic], Time(clock=fake.clock, sleep=fake.sleep, until=20))

    assert findings == Findings(problems=(FOUND,), notes={})
    assert fake.waits == [2.0, 4.0]


def test_permission_that_never_comes_is_a_note() -> None:
    """After two waits it is believed."""
    fake = FakeSleep()
    topic = Topic("denied", failing(*[refused("AccessDenied")] * 3))

    findings = gather([topic], Time(clock=fake.clock, sleep=fake.sleep, until=20))

    assert findings == Findings(notes={"denied": "AccessDenied"})


def test_denial_is_not_waited_for_without_time() -> None:
    """The wait would end after the deadline."""
    fake = FakeSleep()
    topic = Topic("denied", failing(refused("AccessDenied")))

    findings = gather([topic], Time(clock=fake.clock, sleep=fake.sleep, until=1.5))

    assert findings == Findings(notes={"denied": "AccessDenied"})
    assert fake.waits == []
