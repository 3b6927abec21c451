"""A run: senders and faults by the plan, then rest, then the conservation law."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.chaos.plan import Blow, BlowKind, Episode, Plan
from tests.chaos.senders import Senders, start_senders
from tests.harness.acks import read_contents
from tests.harness.oracle import violations
from tests.harness.site import Site

PROCESSES, ASSOCIATIONS = 2, 8
TICK_S = 0.25
REPORT_S = 5.0
MOST_IN_FLIGHT = 60_000
"""Above it the senders wait: what is measured is the product, not how long a queue can become."""
SENDERS_S = 120.0
REST_S = 600.0
STANDSTILL_S = 10.0
"""Longer than the pauses between an ask and its answer: what stands still then needs Sweep's help."""
LATER_S = 8 * 3600
"""How far on Sweep's clock is at rest: past the lease of every batch, and past an hour's closing."""
SETTINGS = {
    "BATCH_AGE": 5,
    "BATCH_IDLE": 1,
    "DIMSE_TIMEOUT": 10,
    "STOP_TIMEOUT": 8,
    "WORKERS": 3,
    "MEMORY_MIB": 1024,
    "SCHEDULE_INTERVAL": 10,
    "REANNOUNCE_AFTER": 10,
    "POLL_AFTER": 10,
    "ADOPT_AFTER": 1,
    "OUTPUT_GRACE": 30,
    "LOG_LEVEL": "WARNING",
    "HEALTHIMAGING_FAULTS": '{"jobSeconds": 0.5}',
}
_CALM: dict[str, object] = {
    "failedJobs": {},
    "failedFiles": {},
    "throttledStarts": {},
    "lostEvents": {},
    "duplicatedEvents": {},
    "lateManifestSeconds": 0,
}


@dataclass(slots=True)
class Result:
    """What a run has shown.

    Attributes:
        seed: Of its plan.
        seconds: For how long images were sent.
        acknowledged: Contents answered with Success.
        offered: Contents sent.
        figures: Of /api/status at rest.
        struck: Faults of requests by name.
        blows: Sudden faults by kind.
        rest_s: How long it took to come to rest.
        cpu_s: Processor time of the parts that live at its end.
        violations: What is wrong.
    """

    seed: int
    seconds: float
    acknowledged: int = 0
    offered: int = 0
    figures: dict[str, int] = field(default_factory=dict)
    struck: dict[str, int] = field(default_factory=dict)
    blows: dict[str, int] = field(default_factory=dict)
    rest_s: float = 0.0
    cpu_s: dict[str, float] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)


class Run:
    """One run on a site that has started."""

    def __init__(self, site: Site, plan: Plan, seed: int, say: Callable[[str], None]) -> None:
        """Prepare.

        Args:
            site: The product.
            plan: What goes wrong.
            seed: It was made of.
            say: Prints a line.
        """
        self._site = site
        self._plan = plan
        self._say = say
        self._result = Result(seed, plan.seconds)
        self._logs = site.folder / "senders"
        self._logs.mkdir()
        self._in_force: list[Episode] = []
        self._blows: Counter[str] = Counter()

    def go(self) -> Result:
        """Send under faults, come to rest, judge."""
        senders = start_senders(
            self._site.scp_port,
            self._logs,
            seed=self._result.seed,
            processes=PROCESSES,
            associations=ASSOCIATIONS,
        )
        try:
            self._hurt(senders)
            self._calm()
            if not senders.stop(SENDERS_S):
                self._result.violations.append("a sender did not come to its end")
        finally:
            senders.stop(0)
        self._rest()
        self._judge()
        return self._result

    def _hurt(self, senders: Senders) -> None:
        began = time.monotonic()
        blows = list(self._plan.blows)
        next_report = began + REPORT_S
        while (at_s := time.monotonic() - began) < self._plan.seconds:
            self._enforce(self._plan.active(at_s))
            while blows and blows[0].at_s <= at_s:
                self._strike(blows.pop(0))
            if time.monotonic() >= next_report:
                next_report += REPORT_S
                self._report(at_s, senders)
            time.sleep(TICK_S)

    def _report(self, at_s: float, senders: Senders) -> None:
        landed, in_flight = self._site.landed(), self._site.in_flight()
        paused = senders.orders.paused
        (paused.set if in_flight > MOST_IN_FLIGHT else paused.clear)()
        names = ", ".join(episode.name for episode in self._in_force) or "calm"
        self._say(
            f"{at_s:4.0f} s  landed {landed:6} ({landed / max(at_s, 1):3.0f}/s)  in flight {in_flight:5}"
            f"  blows {self._blows.total():3}  now: {names}"
        )

    def _enforce(self, episodes: list[Episode]) -> None:
        if episodes == self._in_force:
            return
        self._in_force = episodes
        self._site.set_rules([rule for episode in episodes for rule in episode.rules])
        switches = dict(_CALM)
        for name, value in (pair for episode in episodes for pair in episode.switches):
            switches[name] = value if name.endswith("Seconds") else {"probability": value}
        self._site.set_faults(switches)

    def _calm(self) -> None:
        self._enforce([])
        self._site.set_rules([])

    def _strike(self, blow: Blow) -> None:
        self._blows[blow.kind.value] += 1
        receiver, functions = self._site.receiver_pids(), self._site.function_pids()
        if blow.kind is BlowKind.RESTART:
            self._site.terminate_receiver()
        elif blow.kind is BlowKind.KILL_TASK:
            _kill(receiver)
        elif blow.kind is BlowKind.KILL_PARENT:
            _kill(receiver[:1])
        elif blow.kind is BlowKind.KILL_WORKER:
            _kill(_picked(receiver[1:], blow.pick))
        else:
            _kill(_picked(functions, blow.pick))

    def _rest(self) -> None:
        """Let it work off what it has, and when that stands still let hours pass for Sweep."""
        began = time.monotonic()
        last, changed_at, quiet = -1, began, 0
        while (now := time.monotonic()) - began < REST_S and quiet < 2:
            in_flight = self._site.in_flight()
            if in_flight != last:
                last, changed_at, quiet = in_flight, now, 0
                self._say(f"coming to rest, {now - began:.0f} s: in flight {in_flight}")
            if in_flight == 0 or now - changed_at > STANDSTILL_S:
                found = self._site.sweep_later(LATER_S)
                self._say(f"hours later Sweep finds {found or 'nothing'}")
                quiet = 0 if found or in_flight else quiet + 1
                changed_at = time.monotonic()
            time.sleep(1)
        self._result.rest_s = time.monotonic() - began
        self._result.cpu_s = self._site.cpu_seconds()

    def _judge(self) -> None:
        result = self._result
        acked, offered = (read_contents(self._logs, f"*.{kind}") for kind in ("acked", "offered"))
        world = self._site.world()
        result.acknowledged, result.offered = len(acked), len(offered)
        result.figures, result.struck = dict(world.figures), self._site.struck()
        result.blows = dict(self._blows)
        if not acked:
            result.violations.append("nothing was acknowledged, so nothing was shown")
        result.violations += violations(acked, offered, world)
        result.violations += self._site.complaints()


def _picked(pids: list[int], pick: float) -> list[int]:
    return [pids[int(pick * len(pids))]] if pids else []


def _kill(pids: list[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
