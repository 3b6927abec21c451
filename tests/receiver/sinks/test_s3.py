"""The S3 sink against a real HTTP server that acts S3, well and badly."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from awscrt.checksums import crc64nvme

from contract.reasons import WireReason
from receiver.memory import PART_BYTES
from receiver.ports import ObjectExistsError, StoreError, Upload
from receiver.sinks.s3 import S3Sink, make_s3_sink
from tests.receiver.sinks import fake_s3
from tests.receiver.sinks.fake_s3 import CHECKSUM, FakeS3, refusing

DATA = os.urandom(700_000)


@pytest.fixture
def s3() -> Iterator[FakeS3]:
    with fake_s3.running() as server:
        yield server


@pytest.fixture
def sink(s3: FakeS3, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Sink]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    made = make_s3_sink("bucket", {"AWS_ENDPOINT_URL": s3.endpoint, "AWS_REGION": "us-east-1"})
    yield made
    made.close()


def _put(sink: S3Sink, data: bytes = DATA, *, key: str = "k/1.dcm", timeout_s: float = 10) -> None:
    pieces = [memoryview(data)[start : start + 262_144] for start in range(0, len(data), 262_144)]
    sink.put(
        key,
        pieces,
        size=len(data),
        crc64nvme=crc64nvme(data),
        metadata={"calling-ae-title": "MY  CT", "sop-instance-uid": "1.2.3"},
        deadline=time.monotonic() + timeout_s,
    )


def test_a_put_is_create_only_with_our_checksum(s3: FakeS3, sink: S3Sink) -> None:
    """One request: bytes, condition, checksum, metadata, unsigned payload, session token."""
    _put(sink)
    ((method, path, headers),) = s3.requests

    assert DATA == s3.objects["/bucket/k/1.dcm"]
    assert ("PUT", "/bucket/k/1.dcm") == (method, path)
    assert "*" == headers["if-none-match"]
    assert fake_s3.encoded(DATA) == headers[CHECKSUM]
    assert "UNSIGNED-PAYLOAD" == headers["x-amz-content-sha256"]
    assert "1.2.3" == headers["x-amz-meta-sop-instance-uid"]
    assert "token" == headers["x-amz-security-token"]
    assert str(len(DATA)) == headers["content-length"]


def test_connections_are_kept(s3: FakeS3, sink: S3Sink) -> None:
    """Twenty instances on one association cost one handshake."""
    for n in range(20):
        _put(sink, key=f"k/{n}")

    assert 1 == s3.connections
    assert 20 == len(s3.objects)


def test_an_empty_object_can_be_stored(s3: FakeS3, sink: S3Sink) -> None:
    """No body at all is a body."""
    _put(sink, b"")

    assert {"/bucket/k/1.dcm": b""} == s3.objects


@pytest.mark.parametrize(
    "trouble",
    [
        refusing(503, "SlowDown"),
        refusing(500, "InternalError"),
        refusing(409, "ConditionalRequestConflict"),
        refusing(400, "RequestTimeout"),
        refusing(400, "ExpiredToken"),
        fake_s3.reset,
        fake_s3.garbage,
    ],
    ids=["503", "500", "409", "request-timeout", "expired-token", "reset", "garbage"],
)
def test_passing_trouble_is_tried_again(
    s3: FakeS3, sink: S3Sink, trouble: fake_s3.Behaviour
) -> None:
    """What S3 asks to repeat, and what never arrived, is repeated within the deadline."""
    s3.script = [trouble]
    _put(sink)

    assert DATA == s3.objects["/bucket/k/1.dcm"]
    assert 2 == len(s3.requests)


def test_an_answer_that_was_swallowed_is_no_loss(s3: FakeS3, sink: S3Sink) -> None:
    """412 on the retry of our own key: the first try landed, and it is our bytes."""
    s3.script = [fake_s3.swallow]
    _put(sink)

    assert DATA == s3.objects["/bucket/k/1.dcm"]
    assert 2 == len(s3.requests)


def test_an_object_at_the_first_try_is_an_error(s3: FakeS3, sink: S3Sink) -> None:
    """Nothing that lies there already is taken for ours, and it stays as it is."""
    s3.objects["/bucket/k/1.dcm"] = b"other"

    with pytest.raises(ObjectExistsError):
        _put(sink)
    assert b"other" == s3.objects["/bucket/k/1.dcm"]
    assert 1 == len(s3.requests)


@pytest.mark.parametrize("answer", [fake_s3.wrong_echo, fake_s3.no_echo])
def test_an_unconfirmed_checksum_is_no_success(
    s3: FakeS3, sink: S3Sink, answer: fake_s3.Behaviour
) -> None:
    """A 200 alone proves nothing."""
    s3.script = [answer]

    with pytest.raises(StoreError, match="not confirmed"):
        _put(sink)


def test_changed_bytes_are_refused(s3: FakeS3, sink: S3Sink) -> None:
    """A bit that flips between our checksum and S3 ends in BadDigest, not in an object."""
    with pytest.raises(StoreError, match="BadDigest"):
        sink.put(
            "k",
            [memoryview(b"abd")],
            size=3,
            crc64nvme=crc64nvme(b"abc"),
            metadata={},
            deadline=time.monotonic() + 5,
        )
    assert {} == s3.objects


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, "AccessDenied"),
        (403, "RequestTimeTooSkewed"),
        (403, "SignatureDoesNotMatch"),
        (404, "NoSuchBucket"),
        (400, "KMS.DisabledException"),
    ],
)
def test_lasting_trouble_is_told_at_once_by_its_name(
    s3: FakeS3, sink: S3Sink, status: int, code: str
) -> None:
    """No retry can help; the log gets S3's own code."""
    s3.script = [refusing(status, code)]

    with pytest.raises(StoreError) as raised:
        _put(sink)
    assert (WireReason.STORAGE_FAILED, code) == (raised.value.reason, raised.value.detail)
    assert 1 == len(s3.requests)


def test_credentials_that_stay_expired_are_an_error(s3: FakeS3, sink: S3Sink) -> None:
    """They are fetched anew once, not for ever."""
    s3.script = [refusing(400, "ExpiredToken")] * 5

    with pytest.raises(StoreError, match="ExpiredToken"):
        _put(sink)
    assert 2 == len(s3.requests)


@pytest.mark.parametrize("trouble", [fake_s3.stall, fake_s3.dribble], ids=["stall", "dribble"])
def test_a_stalled_attempt_leaves_time_for_another(
    s3: FakeS3, sink: S3Sink, trouble: fake_s3.Behaviour
) -> None:
    """A server that goes silent costs half of the deadline, not the instance."""
    s3.script = [trouble]
    started = time.monotonic()
    _put(sink, timeout_s=4)

    assert time.monotonic() - started < 4
    assert DATA == s3.objects["/bucket/k/1.dcm"]


def test_the_deadline_ends_all_attempts(s3: FakeS3, sink: S3Sink) -> None:
    """The sender is answered in time, with what S3 last said."""
    s3.script = [refusing(503, "SlowDown")] * 100
    started = time.monotonic()
    with pytest.raises(StoreError) as raised:
        _put(sink, timeout_s=1.5)

    assert time.monotonic() - started < 2.0
    assert (WireReason.STORE_DEADLINE, "SlowDown") == (raised.value.reason, raised.value.detail)


def test_an_idle_connection_that_was_closed_is_no_trouble(s3: FakeS3, sink: S3Sink) -> None:
    """The server closes after its answer; the next PUT goes through at once."""
    for n in range(5):
        s3.script = [fake_s3.close_idle]
        _put(sink, key=f"k/{n}")

    assert 5 == len(s3.objects)


def test_a_server_that_is_gone_is_an_error_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens: the deadline still holds."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    with fake_s3.running() as server:
        endpoint = server.endpoint
    sink = make_s3_sink("bucket", {"AWS_ENDPOINT_URL_S3": endpoint})

    with pytest.raises(StoreError, match="connect"):
        _put(sink, timeout_s=0.5)


# Multipart.


def _upload(sink: S3Sink, parts: list[bytes]) -> Upload:
    deadline = time.monotonic() + 10
    upload = sink.start_upload("k/big.dcm", {"sop-instance-uid": "1.2"}, deadline)
    for number in reversed(range(1, len(parts) + 1)):  # in any order
        part = parts[number - 1]
        upload.add_part(
            number,
            [memoryview(part)],
            size=len(part),
            crc64nvme=crc64nvme(part),
            deadline=deadline,
        )
    return upload


PARTS = [os.urandom(PART_BYTES), os.urandom(1000)]
WHOLE = b"".join(PARTS)


def _complete(upload: Upload, timeout_s: float = 10) -> None:
    upload.complete(len(WHOLE), crc64nvme(WHOLE), time.monotonic() + timeout_s)


def test_a_multipart_upload_carries_the_whole_checksum(s3: FakeS3, sink: S3Sink) -> None:
    """Created as full object, completed create-only with size and checksum."""
    _complete(_upload(sink, PARTS))
    created, completed = s3.requests[0][2], s3.requests[-1][2]

    assert WHOLE == s3.objects["/bucket/k/big.dcm"]
    assert ("CRC64NVME", "FULL_OBJECT") == (
        created["x-amz-checksum-algorithm"],
        created["x-amz-checksum-type"],
    )
    assert "1.2" == created["x-amz-meta-sop-instance-uid"]
    assert ("*", "FULL_OBJECT", str(len(WHOLE)), fake_s3.encoded(WHOLE)) == (
        completed["if-none-match"],
        completed["x-amz-checksum-type"],
        completed["x-amz-mp-object-size"],
        completed[CHECKSUM],
    )


@pytest.mark.parametrize("answer", [fake_s3.wrong_echo, fake_s3.no_echo])
def test_a_part_whose_checksum_is_not_confirmed_is_a_failure(
    s3: FakeS3, sink: S3Sink, answer: fake_s3.Behaviour
) -> None:
    """S3 took the part, and says nothing or something else of its bytes."""
    s3.script = [fake_s3.behave, answer]
    with pytest.raises(StoreError, match="part's checksum not confirmed"):
        _upload(sink, PARTS[:1])


def test_a_part_is_tried_again(s3: FakeS3, sink: S3Sink) -> None:
    """Repeating a part replaces it."""
    s3.script = [fake_s3.behave, refusing(503, "SlowDown"), fake_s3.reset]
    _complete(_upload(sink, PARTS))

    assert WHOLE == s3.objects["/bucket/k/big.dcm"]


def test_a_200_with_an_error_is_tried_again(s3: FakeS3, sink: S3Sink) -> None:
    """CompleteMultipartUpload may fail after its 200."""
    upload = _upload(sink, PARTS)
    s3.script = [refusing(200, "InternalError")]
    _complete(upload)

    assert WHOLE == s3.objects["/bucket/k/big.dcm"]


def test_a_200_with_a_lasting_error_is_an_error(s3: FakeS3, sink: S3Sink) -> None:
    """Its code is told."""
    upload = _upload(sink, PARTS)
    s3.script = [refusing(200, "AccessDenied")]

    with pytest.raises(StoreError, match="AccessDenied"):
        _complete(upload)


@pytest.mark.parametrize("trouble", [fake_s3.reset, fake_s3.stall], ids=["reset", "stall"])
def test_an_ambiguous_completion_is_not_guessed(
    s3: FakeS3, sink: S3Sink, trouble: fake_s3.Behaviour
) -> None:
    """No second try whose 404 or 412 would have to be interpreted: A700."""
    upload = _upload(sink, PARTS)
    asked = len(s3.requests)
    s3.script = [trouble]

    with pytest.raises(StoreError, match="unclear"):
        _complete(upload, timeout_s=1)
    assert asked + 1 == len(s3.requests)


def test_an_unconfirmed_completion_is_no_success(s3: FakeS3, sink: S3Sink) -> None:
    """The answer must name the whole object's checksum."""
    upload = _upload(sink, PARTS)
    s3.script = [lambda handler, _: handler.answer(200, {}, b"<R></R>")]

    with pytest.raises(StoreError, match="not confirmed"):
        _complete(upload)


def test_abort_never_raises(s3: FakeS3, sink: S3Sink) -> None:
    """It is asked for once more than needed rather than not at all."""
    upload = _upload(sink, PARTS)
    s3.script = [refusing(404, "NoSuchUpload")]
    upload.abort()
    upload.abort()

    assert ['id&"0'] == s3.aborted
