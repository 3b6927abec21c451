from __future__ import annotations

import socket

import pytest

from importer.preflight.gathering import Time
from importer.preflight.sending import AnswerNotSentError, send
from tests.importer.preflight.cloudformation import mailbox
from tests.importer.preflight.test_gathering import FakeSleep

BODY = '{"Reason": "日本語"}'.encode()


def a_minute(fake: FakeSleep) -> Time:
    return Time(clock=fake.clock, sleep=fake.sleep, until=60)


def test_answer_is_put_as_it_is_signed() -> None:
    """PUT, the bytes as they are, and an empty content type: the signature covers it."""
    with mailbox() as box:
        send(box.url, BODY, a_minute(FakeSleep()))

    assert box.requests == [("PUT", "", BODY)]


@pytest.mark.parametrize("script", [[500, 503], [0, 0], [500, 0]], ids=str)
def test_answer_is_sent_again_after_a_failure(script: list[int]) -> None:
    """A server's error and a cut connection pass; the waits grow."""
    fake = FakeSleep()
    with mailbox(*script) as box:
        send(box.url, BODY, a_minute(fake))

    assert [BODY] * 3 == [body for _, _, body in box.requests]
    assert fake.waits == [0.5, 1.0]


def test_refused_answer_is_not_sent_again() -> None:
    """An expired signature stays expired."""
    with mailbox(403) as box, pytest.raises(AnswerNotSentError, match="HTTP 403"):
        send(box.url, BODY, a_minute(FakeSleep()))

    assert len(box.requests) == 1


def test_nobody_there_is_given_up_in_time() -> None:
    """The function must not be cut while it waits: it raises, and Lambda runs it again."""
    fake = FakeSleep()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    with pytest.raises(AnswerNotSentError, match="URLError"):
        send(f"http://127.0.0.1:{port}/", BODY, Time(clock=fake.clock, sleep=fake.sleep, until=10))

    assert fake.now <= 10
    assert fake.waits == [0.5, 1.0, 2.0, 4.0]


def test_answer_goes_nowhere_but_to_http() -> None:
    """A URL of another scheme would be a file of the function."""
    with pytest.raises(AnswerNotSentError):
        send("file:///etc/hostname", BODY, a_minute(FakeSleep()))
