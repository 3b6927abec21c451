"""F1 to F9 and F24 to F33, as far as they are the receiver's: each acted out, then the conservation law.

Every act has receivers of its own, which store into the bucket of one whole product. When all acts are
over the product comes to rest, and for each fault the law is held against what its senders noted.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contract.states import InstanceState
from tests.builders import CT_IMAGE, EXPLICIT_LITTLE, make_instance
from tests.deadline import wait_until
from tests.faults.stage import Notes, Stage
from tests.harness.oracle import violations
from tests.harness.rules import Action, Rule
from tests.landed import Landed
from tests.raw_scu import SUCCESS, RawAssociation, RejectedError
from tests.receiver_process import ReceiverProcess, environment_for

# On one worker and in this order: the last tests judge the product that the acts were played against.
pytestmark = pytest.mark.slow

OUT_OF_RESOURCES = 0xA700
CONTEXTS = [(CT_IMAGE, EXPLICIT_LITTLE)]
INSTANCE, MANIFEST = "incoming/", "batches/"
GIANT_BYTES = 17_500_000
ROUNDS = 12
MIB = 1 << 20


def always(action: Action, operation: str = "PutObject", **more: object) -> Rule:
    """Return a rule that strikes every time."""
    return Rule(action=action, operation=operation, probability=1.0, **more)  # type: ignore[arg-type]  # of the dataclass


def once(action: Action, operation: str = "PutObject", **more: object) -> Rule:
    """Return a rule that strikes the next time."""
    return Rule(action=action, operation=operation, next=1, **more)  # type: ignore[arg-type]  # of the dataclass


def test_f01_sigkill_at_a_random_byte(stage: Stage) -> None:
    """F1: the worker dies somewhere within a dataset, 12 times; nothing was promised, the retry is stored."""
    notes, chance = stage.notes["F1"], random.Random(1)  # noqa: S311 - replayable
    with stage.receiver() as receiver:
        for _ in range(ROUNDS):
            instance = make_instance(size=chance.choice((2_000, 300_000)))
            notes.offered.add((instance.sop_instance_uid, instance.sha256()))
            victims = receiver.worker_pids
            association = RawAssociation(receiver.port, CONTEXTS)
            association.send(instance, stop_before_end=chance.randint(1, instance.size - 1))
            for pid in victims:
                os.kill(pid, signal.SIGKILL)
            with pytest.raises(ConnectionError):
                association.read_response()
            association.close()
            wait_until(lambda: set(receiver.worker_pids) - set(victims), "another worker")  # noqa: B023 - called at once

            notes.store_at_last(receiver.port, instance)

    assert len(notes.acked) == ROUNDS


def test_f02_sigkill_after_the_put_before_the_response(stage: Stage) -> None:
    """F2: S3 has it, the sender was told nothing and sends it again: two objects, one image."""
    notes, instance = stage.notes["F2"], make_instance()
    with stage.receiver() as receiver:
        with stage.hurt(once(Action.KILL_AFTER, key=INSTANCE)):
            first = notes.store(receiver.port, instance)
        notes.store_at_last(receiver.port, instance)

    assert first is None
    assert receiver.events("worker_died") or receiver.events("worker_ended")


def test_f03_sigkill_after_the_response_before_the_manifest(stage: Stage) -> None:
    """F3: the whole task dies with a batch that it has promised and nobody has heard of."""
    notes = stage.notes["F3"]
    with (
        stage.mortal_receiver(WORKERS=2) as receiver,
        stage.hurt(once(Action.KILL_BEFORE, key=MANIFEST, whole_task=True)),
    ):
        statuses = [notes.store(receiver.port, make_instance()) for _ in range(10)]
        code = receiver.wait()

    assert statuses == [SUCCESS] * 10
    assert code == -signal.SIGKILL


class Modality(threading.Thread):
    """Sends images, each until it is acknowledged, to the newest receiver there is.

    Attributes:
        stored: How many were acknowledged.
        breaks: How often it had to begin anew.
    """

    def __init__(self, notes: Notes, ports: list[int], images: int) -> None:
        super().__init__()
        self.stored = 0
        self.breaks = 0
        self._notes = notes
        self._ports = ports
        self._left = [make_instance(size=60_000) for _ in range(images)]

    def run(self) -> None:
        """Send all of them."""
        while self._left:
            try:
                with RawAssociation(self._ports[-1], CONTEXTS) as association:
                    while self._left:
                        if self._notes.store_on(association, self._left[-1]) == SUCCESS:
                            self._left.pop()
                            self.stored += 1
            except (OSError, RejectedError):
                self.breaks += 1
                time.sleep(0.05)  # a modality's pause before it tries again


@contextmanager
def modalities(
    notes: Notes, ports: list[int], *, number: int, images: int
) -> Iterator[list[Modality]]:
    """Let modalities send during the block; at its end all of them must have stored everything."""
    sending = [Modality(notes, ports, images) for _ in range(number)]
    for modality in sending:
        modality.start()
    yield sending
    for modality in sending:
        modality.join(90)
    assert [modality.stored for modality in sending] == [images] * number


def test_f04_rolling_restart_under_20_live_associations(stage: Stage) -> None:
    """F4: two deployments while 20 modalities send: all finish, nothing promised is lost, each stop is clean."""
    with ExitStack() as stack:
        running = stack.enter_context(stage.mortal_receiver())
        ports, codes = [running.port], []
        with modalities(stage.notes["F4"], ports, number=20, images=40) as sending:
            for share in (5, 15):
                wait_until(
                    lambda: all(m.stored >= share for m in sending),  # noqa: B023 - called at once
                    "all are sending",
                    within_s=60,
                )
                replacement = stack.enter_context(stage.mortal_receiver())
                ports.append(replacement.port)
                running.terminate()
                codes.append(running.wait())
                running = replacement
        running.stop()

    assert codes == [0, 0]


FAILURES_OF_S3 = {
    "503": (always(Action.REFUSE, key=INSTANCE),),
    "500": (always(Action.REFUSE, key=INSTANCE, code="InternalError", status=500),),
    "stalls": (always(Action.STALL, key=INSTANCE, seconds=4.0),),
    "resets before the answer": (always(Action.RESET, key=INSTANCE),),
    "confirms another checksum": (always(Action.FALSE_ECHO, key=INSTANCE),),
    "answers are cut": (always(Action.CUT, key=INSTANCE),),
}


@pytest.mark.parametrize("rules", FAILURES_OF_S3.values(), ids=FAILURES_OF_S3)
def test_f05_s3_fails(stage: Stage, f05: ReceiverProcess, rules: tuple[Rule, ...]) -> None:
    """F5: S3 fails in one of its ways: A700 in time, or Success because it is there; the retry is stored."""
    notes, instance = stage.notes["F5"], make_instance()
    with stage.hurt(*rules):
        began = time.monotonic()
        status = notes.store(f05.port, instance)
        waited_s = time.monotonic() - began
    notes.store_at_last(f05.port, instance)

    assert status in (SUCCESS, OUT_OF_RESOURCES)
    assert waited_s < 10 * 2  # the DIMSE timeout, on a loaded machine
    assert f05.get("/healthz")[0] == 200


@pytest.fixture(scope="module")
def f05(stage: Stage) -> Iterator[ReceiverProcess]:
    """Lend one receiver to all failures of S3."""
    with stage.receiver() as receiver:
        yield receiver
        assert receiver.get("/status")[1]["counters"]["worker_restarts"] == 0


@pytest.mark.parametrize(
    "rule",
    [
        always(Action.ERROR_IN_200, "CompleteMultipartUpload", code="InternalError"),
        always(Action.SWALLOW, "CompleteMultipartUpload"),
        always(Action.REFUSE, "UploadPart"),
        always(Action.FLIP, "UploadPart"),
        once(Action.KILL_AFTER, "CompleteMultipartUpload"),
    ],
    ids=["200 with an error", "answer lost", "parts refused", "parts damaged", "killed"],
)
def test_f05_a_giant_cannot_be_completed(stage: Stage, rule: Rule) -> None:
    """F5: a multipart upload fails at its end or on its way: never Success; the retry is stored."""
    notes, instance = stage.notes["F5"], make_instance(size=GIANT_BYTES)
    with stage.receiver() as receiver:
        with stage.hurt(rule):
            status = notes.store(receiver.port, instance)
        notes.store_at_last(receiver.port, instance)

    assert status in (OUT_OF_RESOURCES, None)


def test_f06_s3_says_200_and_nobody_hears_it(stage: Stage) -> None:
    """F6: the object is there, its answer lost: asked again, S3 says that it exists, and that is Success."""
    notes = stage.notes["F6"]
    with stage.receiver() as receiver:
        with stage.hurt(once(Action.SWALLOW, key=INSTANCE)):
            told_once = notes.store(receiver.port, make_instance())
        never = make_instance()
        with stage.hurt(always(Action.SWALLOW, key=INSTANCE)):
            told_never = notes.store(receiver.port, never)
        notes.store_at_last(receiver.port, never)

    assert told_once == SUCCESS
    assert told_never == OUT_OF_RESOURCES


def test_f07_a_bit_flips_between_checksum_and_s3(stage: Stage) -> None:
    """F7: S3 refuses the damaged bytes, the sender is told so and sends them again; no damage lands."""
    notes = stage.notes["F7"]
    with stage.receiver() as receiver:
        for _ in range(5):
            instance = make_instance(size=5_000)
            with stage.hurt(always(Action.FLIP, key=INSTANCE)):
                status = notes.store(receiver.port, instance)
            notes.store_at_last(receiver.port, instance)
            assert status == OUT_OF_RESOURCES

    refusals = {event["detail"] for event in receiver.events("store_failed")}
    assert refusals == {"BadDigest"}


@contextmanager
def small_disk(folder: Path) -> Iterator[tuple[ReceiverProcess, Path, Path]]:
    """Run a receiver whose landing directory is 24 MiB small.

    Yields:
        The receiver, its landing directory as we see it, and a file: while it is there the disk is full.
    """
    environment = environment_for(folder, WORKERS=1, STOP_TIMEOUT=20)
    script = 'mount -t tmpfs -o size=24m tmpfs "$0" && exec "$@"'
    before = ["unshare", "--mount", "--map-root-user", "sh", "-c", script, str(folder)]
    probe = subprocess.run([*before, "true"], check=False, capture_output=True)
    if probe.returncode == 0:
        receiver = ReceiverProcess(environment, before)
        inside = Path(f"/proc/{receiver.pid}/root{folder}")
    else:  # no namespaces for us here: the same answer of the kernel, given by a hook
        sign = folder.parent / "full"
        hooks = Path(__file__).parent.parent / "pnd_regress" / "hooks"
        more = {"PYTHONPATH": str(hooks), "PROBE_FULL_DISK": str(sign)}
        receiver = ReceiverProcess({**environment, **more})
        inside = folder
    try:
        yield receiver, inside, inside / "ballast" if probe.returncode == 0 else sign
    finally:
        if receiver.is_running:
            receiver.kill()


def test_f08_the_disk_is_full(tmp_path: Path) -> None:
    """F8: a directory on a full file system: A700, and Success again as soon as there is room."""
    folder, notes = tmp_path / "landing", Notes()
    folder.mkdir()
    with small_disk(folder) as (receiver, inside, ballast):
        ballast.write_bytes(bytes(22 * MIB))
        full = [notes.store(receiver.port, make_instance(size=4 * MIB)) for _ in range(3)]
        is_healthy = receiver.get("/healthz")[0] == 200
        ballast.unlink()
        after = [notes.store(receiver.port, make_instance(size=4 * MIB)) for _ in range(3)]
        wait_until(Landed(inside).manifests, "sealed")
        Landed(inside).assert_holds(notes.acked)
        receiver.stop()

    assert full == [OUT_OF_RESOURCES] * 3
    assert after == [SUCCESS] * 3
    assert is_healthy
    assert {event["detail"] for event in receiver.events("store_failed")} == {"ENOSPC"}


def test_f09_memory_runs_out(stage: Stage) -> None:
    """F9: the worker may have 48 MiB more than it has, then is killed when it holds most: nothing is lost."""
    with stage.receiver(MEMORY_MIB=512) as receiver, ExitStack() as giants:
        [pid] = receiver.worker_pids
        limit = _virtual_bytes(pid) + 48 * MIB
        resource.prlimit(pid, resource.RLIMIT_AS, (limit, limit))
        with modalities(stage.notes["F9"], [receiver.port], number=16, images=3) as sending:
            for _ in range(4):
                with contextlib.suppress(OSError):  # it may be refused or cut for want of memory
                    association = RawAssociation(receiver.port, CONTEXTS)
                    giants.callback(association.close)
                    association.send(make_instance(size=15 * MIB), stop_before_end=MIB)
            wait_until(lambda: any(m.stored for m in sending), "some are stored")
            for victim in receiver.worker_pids:
                os.kill(victim, signal.SIGKILL)  # as the kernel does it


def _virtual_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmSize:")]
    return int(line.split()[1]) * 1024


def test_f24_one_of_two_tasks_dies(stage: Stage) -> None:
    """F24: two tasks, as in two zones; all processes of one die at once and its senders go to the other."""
    with stage.mortal_receiver() as doomed, stage.receiver() as other:
        ports = [other.port, doomed.port]
        with modalities(stage.notes["F24"], ports, number=8, images=30) as sending:
            wait_until(lambda: all(m.stored >= 3 for m in sending), "all are sending")
            ports.remove(doomed.port)
            doomed.kill()

    assert all(modality.breaks for modality in sending)


@pytest.mark.parametrize(
    ("code", "status"), [("AccessDenied", 403), ("KMS.DisabledException", 400)]
)
def test_f29_the_key_is_gone(stage: Stage, code: str, status: int) -> None:
    """F29: KMS refuses the key: A700 at once, S3's word in the log, the task stays healthy; then Success."""
    notes, instance = stage.notes["F29"], make_instance()
    with stage.receiver() as receiver:
        with stage.hurt(always(Action.REFUSE, key=INSTANCE, code=code, status=status)):
            told = notes.store(receiver.port, instance)
            is_healthy = receiver.get("/healthz")[0] == 200
        notes.store_at_last(receiver.port, instance)
        counters = receiver.get("/status")[1]["counters"]

    assert told == OUT_OF_RESOURCES
    assert is_healthy
    assert counters["failed_stores"] == 1
    assert [event["detail"] for event in receiver.events("store_failed")] == [code]


class _Credentials(http.server.BaseHTTPRequestHandler):
    """A task's credentials endpoint; what it gives expires so soon that it is asked for every request."""

    is_down = False

    def do_GET(self) -> None:
        """Give keys, or fail."""
        expires = datetime.now(UTC) + timedelta(seconds=60)
        document = {
            "AccessKeyId": "testing",
            "SecretAccessKey": "testing",
            "Token": "testing",
            "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        body = b"" if self.is_down else json.dumps(document).encode()
        self.send_response(500 if self.is_down else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def credentials_endpoint() -> Iterator[tuple[str, type[_Credentials]]]:
    """Serve credentials; yields the URL and the class whose `is_down` switches it off."""
    handler = type("Credentials", (_Credentials,), {})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", handler
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_f30_credentials_endpoint_is_down(stage: Stage) -> None:
    """F30: the task's role cannot be asked for: A700, as soon as it answers again Success, no restart."""
    notes, instance = stage.notes["F30"], make_instance()
    with credentials_endpoint() as (url, endpoint):
        settings = {
            "AWS_ACCESS_KEY_ID": "",
            "AWS_SECRET_ACCESS_KEY": "",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": url,
        }
        with stage.receiver(**settings) as receiver:
            before = notes.store(receiver.port, make_instance())
            endpoint.is_down = True
            wait_until(
                lambda: notes.store(receiver.port, instance) == OUT_OF_RESOURCES,
                "A700",
                within_s=60,
            )
            endpoint.is_down = False
            notes.store_at_last(receiver.port, instance)
            restarts = receiver.get("/status")[1]["counters"]["worker_restarts"]

    assert before == SUCCESS
    assert restarts == 0


def test_f31_the_clock_is_wrong(stage: Stage) -> None:
    """F31: S3's clock and ours are 20 minutes apart: A700 with S3's word for it, Success when they agree."""
    notes, instance = stage.notes["F31"], make_instance()
    with stage.receiver() as receiver:
        stage.site.set_clock(20 * 60)
        try:
            told = notes.store(receiver.port, instance)
        finally:
            stage.site.set_clock(0)
        notes.store_at_last(receiver.port, instance)

    assert told == OUT_OF_RESOURCES
    assert [event["detail"] for event in receiver.events("store_failed")] == [
        "RequestTimeTooSkewed"
    ]


def test_f31_the_clock_steps_within_a_batch(stage: Stage, tmp_path: Path) -> None:
    """F31: NTP sets the receiver's clock an hour on: the open batch's lease is over, the next takes its place."""
    notes, offset = stage.notes["F31"], tmp_path / "offset"
    hooks = Path(__file__).parent.parent / "pnd_regress" / "hooks"
    with stage.receiver(PYTHONPATH=hooks, PROBE_CLOCK=offset, BATCH_AGE=60) as receiver:
        first = notes.store(receiver.port, make_instance())
        offset.write_text("3600")
        for _ in range(3):
            notes.store_at_last(receiver.port, make_instance())

    assert first == SUCCESS
    assert len(receiver.events("batch_sealed")) == 2


def test_f33_nobody_reads_the_log(stage: Stage) -> None:
    """F33: standard output stalls: every image is stored as before, what is not written is counted."""
    notes = stage.notes["F33"]
    environment = environment_for(Path("/"), **stage.settings(LOG_LEVEL="DEBUG"))
    read_fd, write_fd = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "receiver"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=write_fd,
    )
    os.close(write_fd)
    try:
        ready = _event(read_fd, "receiver_ready")  # and from here on nobody reads
        statuses = []
        for _ in range(4):
            with RawAssociation(int(ready["scp_port"]), CONTEXTS) as association:
                statuses += [notes.store_on(association, make_instance()) for _ in range(150)]
        process.terminate()
        code = process.wait(60)
    finally:
        process.kill()
        os.close(read_fd)

    assert statuses == [SUCCESS] * 600
    assert code == 0


def _event(fd: int, name: str) -> dict[str, Any]:
    """Read lines up to the event called `name`."""
    line = bytearray()
    while True:
        line += os.read(fd, 1)
        if line.endswith(b"\n"):
            document: dict[str, Any] = json.loads(line)
            if document.get("event") == name:
                return document
            line.clear()


def test_f32_licensing_is_never_asked(stage: Stage) -> None:
    """F32: of all that the product asked for in these acts nothing concerns Marketplace or a licence."""
    services = {service for service, _ in stage.site.seen()}

    assert services <= {"s3", "sqs", "dynamodb", "medical-imaging", "events"}
    assert {"s3", "sqs", "dynamodb", "medical-imaging"} <= services


ACTED = ("F1", "F2", "F3", "F4", "F5", "F6", "F7", "F9", "F24", "F29", "F30", "F31", "F33")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("fault", ACTED)
def test_conservation(stage: Stage, fault: str) -> None:
    """At rest: what was promised is imported or quarantined with its bytes, the sums hold, nothing is invented."""
    notes = stage.notes[fault]

    assert notes.acked
    assert violations(notes.acked, stage.offered, stage.world) == []


def test_f02_is_one_image(stage: Stage) -> None:
    """F2: the object that nobody was told of and its repetition are one content, both imported."""
    [content] = stage.notes["F2"].acked
    landed = [found for found in stage.world.landed if found.content == content]
    states = dict(stage.world.states)

    assert len(landed) == 2
    assert {states[found.key] for found in landed} == {InstanceState.IMPORTED}
