"""Which references are committed to, failed or open, by what is known of them and how long ago they were asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from contract.keys import CommitmentId
from contract.states import InstanceState
from receiver.commitment.action import Reference
from receiver.commitment.documents import FailureReason
from receiver.commitment.judge import CHUNK, Judge, Progress
from receiver.commitment.ports import Known
from receiver.settings import Settings
from tests.builders import CT_IMAGE, SECONDARY_CAPTURE

UNKNOWN_AFTER_S, TIMEOUT_S = 100, 1000
MWL = "1.2.840.10008.5.1.4.31"
COMMITTED, OPEN = "committed", "open"
IMPORTED, QUARANTINED = InstanceState.IMPORTED, InstanceState.QUARANTINED


@dataclass
class FakeRegistry:
    """What is known, and what was asked."""

    records: dict[str, list[Known]] = field(default_factory=dict)
    manifests: dict[str, str] = field(default_factory=dict)
    asked: list[list[str]] = field(default_factory=list)
    looked: int = 0

    def known(self, uids: Sequence[str]) -> Mapping[str, Sequence[Known]]:
        """Return records."""
        self.asked.append(list(uids))
        return {uid: self.records[uid] for uid in uids if uid in self.records}

    def landed(self, uids: Iterable[str]) -> Mapping[str, str]:
        """Return SOP classes of manifests."""
        self.looked += 1
        return {uid: self.manifests[uid] for uid in uids if uid in self.manifests}

    def lease(self, commitment: CommitmentId, now: float) -> float:
        """Not asked here."""
        raise NotImplementedError

    def release(self, commitment: CommitmentId) -> None:
        """Not asked here."""
        raise NotImplementedError


def judge(registry: FakeRegistry, *, when: str = "imported", **settings: Any) -> Judge:
    """Return a judge."""
    chosen = Settings(
        landing_url="s3://landing",
        commitment_when=when,
        commitment_unknown_after_s=UNKNOWN_AFTER_S,
        commitment_timeout_s=TIMEOUT_S,
        **settings,
    )
    return Judge(registry, chosen)


def verdict_of(registry: FakeRegistry, sop_class: str, age_s: float, when: str) -> str:
    """Return what becomes of one reference."""
    progress = Progress(0, {})
    done = judge(registry, when=when).go_on([Reference(sop_class, "1.1")], progress, 0.0, age_s)
    if not done:
        return OPEN
    return f"{progress.failures[0].value:04X}" if progress.failures else COMMITTED


@dataclass(frozen=True)
class Case:
    """One reference: what is known of it, when it is asked about, and the verdicts by setting."""

    imported: str
    landed: str
    states: tuple[InstanceState, ...] = ()
    manifest: str = ""
    sop_class: str = CT_IMAGE
    age_s: float = 0


CASES = {
    "imported": Case(COMMITTED, COMMITTED, (IMPORTED,)),
    "warned": Case(COMMITTED, COMMITTED, (InstanceState.IMPORTED_WITH_WARNING,)),
    "non-primary": Case(COMMITTED, COMMITTED, (InstanceState.IMPORTED_NON_PRIMARY,)),
    "quarantined": Case("0110", COMMITTED, (QUARANTINED,)),
    "two contents, one quarantined": Case("0110", COMMITTED, (IMPORTED, QUARANTINED)),
    "another class": Case("0119", "0119", (IMPORTED,), sop_class=SECONDARY_CAPTURE),
    "landed": Case(OPEN, COMMITTED, manifest=CT_IMAGE),
    "landed, slow": Case(OPEN, COMMITTED, manifest=CT_IMAGE, age_s=UNKNOWN_AFTER_S),
    "landed, too slow": Case("0110", COMMITTED, manifest=CT_IMAGE, age_s=TIMEOUT_S),
    "landed as another class": Case("0119", "0119", manifest=SECONDARY_CAPTURE, age_s=TIMEOUT_S),
    "unknown": Case(OPEN, OPEN, age_s=UNKNOWN_AFTER_S - 1),
    "unknown for long": Case("0112", "0112", age_s=UNKNOWN_AFTER_S),
    "no storage class": Case("0122", "0122", (IMPORTED,), sop_class=MWL),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_reference_has_its_verdict(case: Case) -> None:
    """The same knowledge under both settings."""
    registry = FakeRegistry()
    if case.states:
        registry.records["1.1"] = [Known(CT_IMAGE, state) for state in case.states]
    if case.manifest:
        registry.manifests["1.1"] = case.manifest

    assert verdict_of(registry, case.sop_class, case.age_s, "imported") == case.imported
    assert verdict_of(registry, case.sop_class, case.age_s, "landed") == case.landed


def test_a_class_that_is_not_taken_here_is_said_at_once() -> None:
    """SUPPORTED_SOP_CLASS_UIDS decides, as it does at negotiation."""
    progress = Progress(0, {})
    references = [Reference(CT_IMAGE, "1.1"), Reference(SECONDARY_CAPTURE, "1.2")]
    registry = FakeRegistry({"1.1": [Known(CT_IMAGE, IMPORTED)]})

    done = judge(registry, supported_sop_class_uids=(CT_IMAGE,)).go_on(references, progress, 0, 0)

    assert done
    assert progress.failures == {1: FailureReason.SOP_CLASS_NOT_SUPPORTED}


def test_what_is_decided_is_not_asked_about_again() -> None:
    """The next look starts at the first reference that was open."""
    registry = FakeRegistry()
    references = [Reference(CT_IMAGE, f"1.{n}") for n in range(3 * CHUNK)]
    for reference in references[: 2 * CHUNK + 5]:
        registry.records[reference.sop_instance_uid] = [Known(CT_IMAGE, IMPORTED)]
    registry.records["1.7"] = [Known(CT_IMAGE, QUARANTINED)]
    progress = Progress(0, {})
    judged = judge(registry)

    assert not judged.go_on(references, progress, 0.0, 1.0)
    assert progress.place == 2 * CHUNK + 5
    registry.asked.clear()
    for reference in references:
        registry.records.setdefault(reference.sop_instance_uid, [Known(CT_IMAGE, IMPORTED)])
    assert judged.go_on(references, progress, 0.0, 2.0)

    assert sum(map(len, registry.asked)) == CHUNK - 5
    assert progress.failures == {7: FailureReason.PROCESSING_FAILURE}


def test_manifests_are_only_read_when_they_can_decide() -> None:
    """While an import may still be on its way, the ledger alone is asked."""
    registry = FakeRegistry()

    verdict_of(registry, CT_IMAGE, 1, "imported")
    assert registry.looked == 0
    verdict_of(registry, CT_IMAGE, UNKNOWN_AFTER_S, "imported")
    assert registry.looked == 1


def test_a_batch_that_is_recorded_between_two_looks_is_not_missed() -> None:
    """Neither in the ledger, then no longer in an open batch: asked once more before it is denied."""

    class Recording(FakeRegistry):
        def landed(self, uids: Iterable[str]) -> Mapping[str, str]:
            self.records["1.1"] = [Known(CT_IMAGE, IMPORTED)]
            return super().landed(uids)

    assert verdict_of(Recording(), CT_IMAGE, UNKNOWN_AFTER_S, "imported") == COMMITTED
