"""Command sets against pynetdicom's messages."""

from __future__ import annotations

import contextlib
import tracemalloc
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.filereader import read_dataset
from pydicom.uid import UID
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE

from receiver.alike import Decoder
from receiver.dimse import Command, decode, encode_response
from receiver.pdu import ProtocolError
from receiver.status import Status
from tests.receiver import wire

HAS_DATASET = True
CT = b"1.2.840.10008.5.1.4.1.1.2"


def test_a_store_request_of_pynetdicom_is_read() -> None:
    """What pynetdicom encodes as C-STORE-RQ is decoded."""
    primitive = C_STORE()
    primitive.MessageID = 515
    primitive.AffectedSOPClassUID = UID(CT.decode())
    primitive.AffectedSOPInstanceUID = UID("1.2.3.45")
    primitive.Priority = 0
    primitive.DataSet = BytesIO(b"\0\0")
    message = C_STORE_RQ()
    message.primitive_to_message(primitive)
    fragment = next(iter(message.encode_msg(1, 16384)))
    encoded = fragment.presentation_data_value_list[0][1][1:]
    assert decode(encoded) == Command(1, 515, HAS_DATASET, CT + b"\0", b"1.2.3.45")


def test_pydicom_reads_our_response() -> None:
    """The response has the elements of PS3.7 9.3.1.2 in order, with the right group length."""
    request = Command(1, 7, HAS_DATASET, CT, b"1.2.3")
    encoded = encode_response(request, Status.OUT_OF_RESOURCES, "storage_failed")
    response = read_dataset(BytesIO(encoded), is_implicit_VR=True, is_little_endian=True)
    assert response.CommandGroupLength == len(encoded) - 12
    assert response.AffectedSOPClassUID == CT.decode()
    assert response.CommandField == 0x8001
    assert response.MessageIDBeingRespondedTo == 7
    assert response.CommandDataSetType == 0x0101
    assert response.Status == 0xA700
    assert response.ErrorComment == "storage_failed"
    assert response.AffectedSOPInstanceUID == "1.2.3"
    assert [element.tag for element in response] == sorted(element.tag for element in response)


@pytest.mark.parametrize("uid", [b"", b"1" * 65, b"../x", b"1.2\n"])
def test_what_is_no_uid_is_not_sent_back(uid: bytes) -> None:
    """A response omits the optional UIDs that the request had wrong."""
    encoded = encode_response(Command(1, 7, HAS_DATASET, CT, uid), Status.INVALID_SOP_INSTANCE)
    assert 0x1000 not in wire.elements_of(encoded)


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=9).map(lambda b: wire.store_rq() + b)))
def test_garbage_is_decoded_or_refused(data: bytes) -> None:
    """Row 17: any bytes give a command or a ProtocolError with an abort."""
    with contextlib.suppress(ProtocolError):
        assert 0 <= decode(data).field <= 0xFFFF


SERIES = st.builds(
    wire.store_rq,
    message_id=st.sampled_from((1, 2, 65_535)),
    sop_instance=st.sampled_from((b"1.2.3", b"1.2.4", b"1.2.34", b"9" * 64, b"")),
)


@given(
    st.lists(
        st.one_of(
            SERIES,
            st.tuples(SERIES, st.integers(0, 250), st.binary(min_size=1, max_size=1)).map(
                lambda cut: cut[0][: cut[1]] + cut[2] + cut[0][cut[1] + 1 :]
            ),
            st.tuples(SERIES, st.binary(max_size=12)).map(b"".join),
            st.tuples(SERIES, st.integers(0, 250)).map(lambda cut: cut[0][: cut[1]]),
        ),
        max_size=6,
    )
)
def test_the_commands_of_an_association_are_read_as_each_alone(commands: list[bytes]) -> None:
    """What is remembered of one command changes nothing about how the next is read."""
    decoder = Decoder()
    for data in commands:
        try:
            expected = decode(data)
        except ProtocolError:
            with pytest.raises(ProtocolError):
                decoder.decode(data)
        else:
            assert expected == decoder.decode(data)


def test_a_series_is_read_by_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first command of a series only what differs is looked at."""
    decoder = Decoder()
    decoder.decode(wire.store_rq(1, sop_instance=b"1.2.3.9"))
    monkeypatch.setattr("receiver.dimse.decode", None)
    command = decoder.decode(wire.store_rq(2, sop_instance=b"1.2.3.10"))

    assert (2, b"1.2.3.10") == (command.message_id, command.sop_instance)


def test_a_huge_command_is_not_kept() -> None:
    """What a parked association holds does not depend on what its peer sent last."""
    extra = wire.element(0x1031, b"x" * 60_000)
    tracemalloc.start()
    try:
        decoders = [Decoder() for _ in range(20)]
        for decoder in decoders:
            decoder.decode(wire.store_rq(1) + extra)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held < len(decoders) * 10_000
