"""Bare pynetdicom 3.0.4 has each of these weaknesses, and this receiver has none of them.

The first half says when a release of pynetdicom mends one; the second is what the product promises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.certificates import client_context, make_hospital
from tests.pnd_regress.target import Target, WeaknessError, bare_target, our_target
from tests.pnd_regress.weaknesses import FILE, WEAKNESSES, Weakness
from tests.receiver.sinks import fake_s3

pytestmark = pytest.mark.slow

QUICK_FIRST = [
    *(weakness for weakness in WEAKNESSES if not weakness.slow),
    *(weakness for weakness in WEAKNESSES if weakness.slow),
]


def _id(weakness: Weakness) -> str:
    return weakness.id


Probe = Callable[[Weakness], None]


class Bench:
    """Starts targets as weaknesses need them; one receiver is shared by those that need no own."""

    def __init__(self, stack: ExitStack, directory: Path) -> None:
        self._stack = stack
        self._directory = directory
        self._hospital = make_hospital()
        self._device = client_context(self._hospital.authority, self._hospital.device)
        self._shared: Target | None = None
        self._threads = stack.enter_context(ThreadPoolExecutor(6))
        self._slow: dict[tuple[int, Probe], Future[None]] = {}

    def start_slow(self, weakness: Weakness) -> None:
        """Begin to probe both targets on threads of their own."""
        for probe in (self._probe_ours, self._probe_bare):
            self._slow[weakness.number, probe] = self._threads.submit(probe, weakness)

    def probe_bare(self, weakness: Weakness) -> None:
        """Probe a bare SCP."""
        self._finish(weakness, self._probe_bare)

    def probe_ours(self, weakness: Weakness) -> None:
        """Probe the receiver."""
        self._finish(weakness, self._probe_ours)

    def _finish(self, weakness: Weakness, probe: Probe) -> None:
        """Probe, or wait for the probe that is under way."""
        if weakness.slow:
            self._slow[weakness.number, probe].result(100)
        else:
            probe(weakness)

    def _probe_bare(self, weakness: Weakness) -> None:
        directory = self._folder(weakness, "bare")
        options = weakness.bare
        if weakness.tls:
            file = directory / "tls.pem"
            file.write_text(self._hospital.receiver.key + self._hospital.receiver.certificate)
            options = replace(options, certificate=str(file))
        if weakness.writes:
            options = replace(options, directory=str(directory / "storage"))
            (directory / "storage").mkdir()
        tls = self._device if weakness.tls else None
        with bare_target(options, directory, _hooks(weakness, directory), tls) as target:
            weakness.probe(target)

    def _probe_ours(self, weakness: Weakness) -> None:
        if not weakness.settings:
            weakness.probe(self._share())
            return
        directory = self._folder(weakness, "ours")
        with ExitStack() as stack:
            settings = dict(weakness.settings)
            if weakness.storage:
                s3 = stack.enter_context(fake_s3.running())
                s3.script += weakness.storage
                settings |= {
                    "LANDING_URL": "s3://bucket",
                    "AWS_ENDPOINT_URL": s3.endpoint,
                    "AWS_ACCESS_KEY_ID": "testing",
                    "AWS_SECRET_ACCESS_KEY": "testing",
                    "AWS_DEFAULT_REGION": "us-east-1",
                }
            if weakness.tls:
                settings |= self._hospital.settings
            hooks = _hooks(weakness, directory)
            tls = self._device if weakness.tls else None
            weakness.probe(stack.enter_context(our_target(settings, directory, hooks, tls)))

    def _share(self) -> Target:
        if self._shared is None:
            directory = self._directory / "shared"
            directory.mkdir()
            self._shared = self._stack.enter_context(our_target({}, directory, {}))
        return self._shared

    def _folder(self, weakness: Weakness, name: str) -> Path:
        directory = self._directory / f"p{weakness.number}" / name
        directory.mkdir(parents=True)
        return directory


def _hooks(weakness: Weakness, directory: Path) -> dict[str, str]:
    outside = directory.parent
    return {
        name: str(outside / f"{directory.name}-{name}") if value is FILE else value
        for name, value in weakness.hooks.items()
    }


@pytest.fixture(scope="module")
def bench(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    """Lend the bench; the slow probes that were selected are under way."""
    with ExitStack() as stack:
        bench = Bench(stack, tmp_path_factory.mktemp("weaknesses"))
        for item in request.session.items:
            callspec = getattr(item, "callspec", None)
            weakness: object = callspec.params.get("weakness") if callspec else None
            if isinstance(weakness, Weakness) and weakness.slow:
                bench.start_slow(weakness)
        yield bench


def test_all_of_them_are_here() -> None:
    """P1 to P31, each once."""
    assert [weakness.number for weakness in WEAKNESSES] == list(range(1, 32))


@pytest.mark.parametrize("weakness", QUICK_FIRST, ids=_id)
def test_only_bare_pynetdicom_has_it(bench: Bench, weakness: Weakness) -> None:
    """The probe finds the weakness in a bare SCP and does not find it in the receiver."""
    with pytest.raises(WeaknessError):
        bench.probe_bare(weakness)
    bench.probe_ours(weakness)
