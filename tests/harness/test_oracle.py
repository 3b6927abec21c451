"""The oracle must not be blind: each way to break the law, done to a world that keeps it, is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from contract.states import InstanceState
from tests.harness.oracle import Content, Landed, World, violations

A, B, C = ("1.1", "a" * 64), ("1.2", "b" * 64), ("1.3", "c" * 64)
UNSENT = ("9.9", "f" * 64)


def landed(key: str, content: Content, *, tagged: bool = False) -> Landed:
    return Landed(key, *content, is_tagged=tagged, versions=1)


def good_world() -> World:
    """Three objects: imported, imported with a warning, quarantined."""
    return World(
        landed=[landed("k1", A, tagged=True), landed("k2", B), landed("k3", C)],
        named=["k1", "k2", "k3"],
        states=[
            ("k1", InstanceState.IMPORTED),
            ("k2", InstanceState.IMPORTED_WITH_WARNING),
            ("k3", InstanceState.QUARANTINED),
        ],
        imported={A, B},
        listed={"k3"},
        recorded={"k3"},
        figures={
            "landed": 3,
            "imported": 1,
            "importedWithWarning": 1,
            "importedNonPrimary": 0,
            "quarantined": 1,
            "inFlight": 0,
        },
    )


def test_a_good_world_is_not_accused() -> None:
    """What was acknowledged is there, also where the sender was never told of another."""
    assert violations({A, B, C}, {A, B, C}, good_world()) == []
    assert violations({A}, {A, B, C}, good_world()) == []


def _state(world: World, n: int, state: InstanceState) -> World:
    states = list(world.states)
    states[n] = (states[n][0], state)
    return replace(world, states=states)


BROKEN: dict[str, Callable[[World], World]] = {
    "acknowledged, but not landed": lambda w: replace(w, landed=w.landed[1:]),
    "neither imported nor quarantined": lambda w: replace(w, imported={B}),
    "named by a manifest, but not landed": lambda w: replace(w, named=[*w.named, "k4"]),
    "deleted": lambda w: replace(
        w, landed=[replace(w.landed[0], sha256="", uid=""), *w.landed[1:]]
    ),
    "overwritten": lambda w: replace(w, landed=[replace(w.landed[0], versions=2), *w.landed[1:]]),
    "landed, but never sent": lambda w: replace(w, landed=[*w.landed, landed("k4", UNSENT)]),
    "imported, but never sent": lambda w: replace(w, imported=w.imported | {UNSENT}),
    "landed, but not in the ledger": lambda w: replace(w, states=w.states[1:]),
    "in the ledger, but not landed": lambda w: replace(
        w, states=[*w.states, ("k4", InstanceState.IMPORTED)]
    ),
    "in two batches": lambda w: replace(w, states=[*w.states, w.states[0]]),
    "named by two manifests": lambda w: replace(w, named=[*w.named, "k1"]),
    "in flight": lambda w: _state(w, 1, InstanceState.SEALED),
    "quarantined, but not on the list": lambda w: replace(w, listed=set()),
    "on the quarantine list, but not quarantined": lambda w: replace(w, listed={"k3", "k1"}),
    "quarantined without a record": lambda w: replace(w, recorded=set()),
    "the data store has not its bytes": lambda w: _state(w, 2, InstanceState.IMPORTED),
    "may expire, but is": lambda w: replace(
        w, landed=[*w.landed[:2], replace(w.landed[2], is_tagged=True)]
    ),
    "would be kept for ever": lambda w: replace(
        w, landed=[replace(w.landed[0], is_tagged=False), *w.landed[1:]]
    ),
    "/api/status says": lambda w: replace(w, figures={**w.figures, "imported": 2}),
}


@pytest.mark.parametrize(("sentence", "breaking"), BROKEN.items(), ids=BROKEN)
def test_each_violation_is_told(sentence: str, breaking: Callable[[World], World]) -> None:
    """One thing is wrong, and it is named."""
    found = violations({A, B, C}, {A, B, C}, breaking(good_world()))

    assert any(sentence in line for line in found), found


def test_damaged_bytes_are_no_image() -> None:
    """The right UID with other bytes is as good as lost."""
    world = good_world()
    damaged = (A[0], "0" * 64)
    world = replace(
        world, landed=[landed("k1", damaged, tagged=True), *world.landed[1:]], imported={damaged, B}
    )

    found = violations({A, B, C}, {A, B, C}, world)

    assert any("acknowledged, but not landed" in line for line in found)
    assert any("imported, but never sent" in line for line in found)


def test_an_acknowledgement_that_nobody_asked_for() -> None:
    """The senders' own notes must agree."""
    assert any("not offered" in line for line in violations({A, UNSENT}, {A, B, C}, good_world()))
