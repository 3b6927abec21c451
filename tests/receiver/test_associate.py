"""A-ASSOCIATE bytes against pynetdicom's classes."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    AsynchronousOperationsWindowNegotiation,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)
from pynetdicom.presentation import PresentationContext

from receiver.associate import (
    ProposedContext,
    Role,
    decode_request,
    encode_accept,
)
from receiver.filemeta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from receiver.negotiation import accept
from receiver.pdu import ProtocolError
from receiver.settings import Settings
from tests.receiver import wire

CT = "1.2.840.10008.5.1.4.1.1.2"
SYNTAXES = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.90"]


def _request(count: int) -> bytes:
    """Return an A-ASSOCIATE-RQ made by pynetdicom."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title = "MODALITY 1"
    primitive.called_ae_title = "STORESCP"
    contexts = []
    for index in range(count):
        context = PresentationContext()
        context.abstract_syntax = f"{CT}.{index}" if index else CT
        context.transfer_syntax = [*SYNTAXES[: 1 + index % 3]]
        context.context_id = 2 * index + 1
        contexts.append(context)
    primitive.presentation_context_definition_list = contexts
    maximum = MaximumLengthNotification()
    maximum.maximum_length_received = 16382
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = "1.2.3.4"
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = "OTHER_1"
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked = 5
    window.maximum_number_operations_performed = 0
    role = SCP_SCU_RoleSelectionNegotiation()
    role.sop_class_uid = CT
    role.scu_role = True
    role.scp_role = True
    primitive.user_information = [maximum, implementation, version, window, role]
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(primitive)
    encoded: bytes = pdu.encode()
    return encoded


@pytest.mark.parametrize("count", [1, 3, 128])
def test_a_request_of_pynetdicom_is_read(count: int) -> None:
    """Everything that pynetdicom encodes in a request is decoded."""
    request = decode_request(_request(count)[6:])
    assert request.protocol_version == 1
    assert request.called == b"STORESCP        "
    assert request.calling == b"MODALITY 1      "
    assert request.application_context == "1.2.840.10008.3.1.1.1"
    assert len(request.contexts) == count
    assert request.contexts[0] == ProposedContext(1, CT, (SYNTAXES[0],))
    assert request.contexts[-1].context_id == 2 * count - 1
    assert request.maximum_length == 16382
    assert request.window == (5, 0)
    assert request.roles == (Role(CT, scu=True, scp=True),)
    assert request.implementation == ("1.2.3.4", "OTHER_1")


@pytest.mark.parametrize("count", [1, 128])
def test_pynetdicom_reads_our_acceptance(count: int) -> None:
    """Pynetdicom decodes our A-ASSOCIATE-AC to what was granted."""
    request = decode_request(_request(count)[6:])
    acceptance = accept(request, Settings(landing_url="file:///unused"))
    pdu = A_ASSOCIATE_AC()
    pdu.decode(encode_accept(request, acceptance))
    primitive = pdu.to_primitive()
    assert primitive.application_context_name == "1.2.840.10008.3.1.1.1"
    results = primitive.presentation_context_definition_results_list
    assert [c.context_id for c in results] == [2 * n + 1 for n in range(count)]
    assert {c.result for c in results} == {0}
    assert results[0].transfer_syntax == [SYNTAXES[0]]
    items: dict[str, Any] = {type(i).__name__: i for i in primitive.user_information}
    assert primitive.maximum_length_received == 1_048_576
    assert primitive.implementation_class_uid == IMPLEMENTATION_CLASS_UID
    version = items["ImplementationVersionNameNotification"]
    assert version.implementation_version_name == IMPLEMENTATION_VERSION_NAME
    window = items["AsynchronousOperationsWindowNegotiation"]
    assert window.maximum_number_operations_invoked == 5
    assert window.maximum_number_operations_performed == 8
    role = items["SCP_SCU_RoleSelectionNegotiation"]
    assert (role.sop_class_uid, role.scu_role, role.scp_role) == (CT, True, False)


def test_our_implementation_class_uid_is_one() -> None:
    """It is a UUID-derived UID of legal length."""
    root, _, number = IMPLEMENTATION_CLASS_UID.rpartition(".")
    assert root == "2.25"
    assert int(number) < 2**128
    assert len(IMPLEMENTATION_CLASS_UID) <= 64


@given(st.data())
def test_no_damage_raises_anything_but_a_protocol_error(data: st.DataObject) -> None:
    """A request with any bytes changed, cut or added is decoded or refused, never a crash."""
    body = bytearray(wire.associate(user=(wire.item(0x53, bytes(4)),))[6:])
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(body[: data.draw(st.integers(0, len(body)))]) + data.draw(st.binary(max_size=9))
    with contextlib.suppress(ProtocolError):
        decode_request(cut)
