"""Ten thousand mutated sessions: nothing breaks, nothing stays held, what is acknowledged is there."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from tests.fuzz.live import play_mutated, running_live
from tests.fuzz.mutate import mutate, p_data, pdus_of, pdvs_of
from tests.fuzz.target import CORPUS, Target, ViolationError, seeds
from tests.receiver import wire

CASES, LIVE_CASES = 8_800, 1_200
BUSY = 10.0
"""How much longer than promised a loaded machine may take."""
REACHED = {
    "instance_stored", "instance_refused", "dimse_bad", "dimse_order", "pdv_len", "cx_mix", "cx_unknown",
    "truncated", "uid_mismatch", "uid_missing", "ts_mismatch", "seq_bomb", "pdu_unexpected", "pdu_over_max",
    "commitment_refused",
}  # fmt: skip
"""What is behind the association, and at least that much of it."""


@pytest.fixture(scope="module")
def target() -> Target:
    return Target()


@pytest.mark.parametrize("path", sorted(CORPUS.iterdir()), ids=lambda path: path.name)
def test_the_corpus_breaks_nothing(target: Target, path: Path) -> None:
    """Recorded sessions, and those that once broke something or reached what no other does."""
    target.run(path.read_bytes())


@pytest.mark.timeout(300)
@pytest.mark.slow
def test_mutated_sessions_break_nothing(target: Target) -> None:
    """In this process, a millisecond each; most get past the association and into its checks."""
    sessions, reached = seeds(), Counter[str]()
    for seed in range(CASES):
        rng = random.Random(seed)  # noqa: S311 - nothing secret
        session = mutate(rng.choice(sessions), rng, sessions)
        try:
            reached.update(target.run(session).keys())
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error}") from error

    assert reached.keys() >= REACHED
    assert reached["association_accepted"] > CASES / 2


@pytest.mark.timeout(300)
@pytest.mark.slow
def test_mutated_sessions_over_tcp_break_nothing(tmp_path: Path) -> None:
    """Against a whole receiver: no process dies, nothing is left, the honest are served, the sum is exact."""
    with running_live(tmp_path) as live:
        play_mutated(live, seeds(), cases=LIVE_CASES, seed=1, honest_s=2.0 * BUSY)


def test_the_oracle_sees_a_false_ack(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver that answers Success for what it did not store would be found."""
    monkeypatch.setattr("receiver.assembly.Instance.commit", lambda self: self.discard() or True)

    with pytest.raises(ViolationError):
        target.run((CORPUS / "storescu-0.session").read_bytes())


def test_mutation_depends_on_the_seed_alone() -> None:
    """A case can be played again from its number."""
    one, two = (mutate(seeds()[0], random.Random(7), seeds()) for _ in range(2))  # noqa: S311 - likewise

    assert one == two != seeds()[0]


def test_pdus_and_pdvs_are_cut_and_joined() -> None:
    """What is cut into PDVs and joined again is the same."""
    pdu = wire.data(wire.pdv(1, 3, b"command"), wire.pdv(1, 2, b""))
    pdvs = pdvs_of(pdu)

    assert pdvs == [(1, 3, b"command"), (1, 2, b"")]
    assert p_data(pdvs) == pdu
    assert pdus_of(pdu + pdu[:9]) == [pdu, pdu[:9]]
    assert pdvs_of(pdu[:-1]) is None
