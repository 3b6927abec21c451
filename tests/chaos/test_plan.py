from __future__ import annotations

import random

from tests.chaos.images import SHARES, Kind, images
from tests.chaos.plan import FAILPOINTS, FAULTS, BlowKind, make_plan


def test_a_seed_is_a_plan() -> None:
    """The same seed, the same plan; another seed, another plan."""
    assert make_plan(7, 120) == make_plan(7, 120)
    assert make_plan(7, 120) != make_plan(8, 120)


def test_a_long_run_has_every_fault() -> None:
    """In ten minutes each fault, each failpoint and each sudden fault comes at least twice."""
    plan = make_plan(1, 600)
    names = [episode.name for episode in plan.episodes]
    kinds = [blow.kind for blow in plan.blows]

    for fault in (*FAULTS, *FAILPOINTS):
        assert names.count(fault.name) >= 2, fault.name
    for kind in BlowKind:
        assert kinds.count(kind) >= 2


def test_nothing_happens_after_the_end() -> None:
    """Senders finish in calm."""
    plan = make_plan(3, 60)

    assert all(episode.end_s <= 60 for episode in plan.episodes)
    assert plan.active(60) == []
    assert all(blow.at_s < 60 for blow in plan.blows)


def test_every_kind_of_image_is_sent() -> None:
    """Among some thousands there is one of each."""
    made = images(random.Random(1))  # noqa: S311 - replayable

    seen = {next(made).kind for _ in range(4000)}

    assert seen >= SHARES.keys() - {Kind.GIANT} | {Kind.PLAIN}


def test_every_minute_ends_in_calm() -> None:
    """No fault lasts into it, none begins in it."""
    plan = make_plan(5, 300)

    for minute in range(5):
        for second in range(48, 60):
            assert plan.active(minute * 60 + second) == []
    assert all(blow.at_s % 60 < 48 for blow in plan.blows)
