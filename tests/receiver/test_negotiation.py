"""The policy as tables."""

from __future__ import annotations

import pytest
from pynetdicom import sop_class

from receiver.associate import AssociateRequest, ProposedContext, Role
from receiver.negotiation import accept, ae_title_text, find_rejection, is_without_address
from receiver.peers import Peer
from receiver.settings import Settings
from receiver.syntaxes import TRANSFER_SYNTAXES, uid_fault, uid_text

CT = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
J2K = "1.2.840.10008.1.2.4.90"
SETTINGS = Settings(landing_url="file:///unused")


def _request(
    *contexts: tuple[str, tuple[str, ...]],
    roles: tuple[Role, ...] = (),
    window: tuple[int, int] | None = None,
    called: bytes = b"STORESCP        ",
    calling: bytes = b"CT 1            ",
) -> AssociateRequest:
    return AssociateRequest(
        protocol_version=1,
        called=called,
        calling=calling,
        application_context="1.2.840.10008.3.1.1.1",
        contexts=tuple(ProposedContext(2 * n + 1, *c) for n, c in enumerate(contexts)),
        roles=roles,
        window=window,
    )


def _result(uid: str, *syntaxes: str, settings: Settings = SETTINGS) -> tuple[int, str]:
    (context,) = accept(_request((uid, syntaxes or (EXPLICIT,))), settings).contexts
    return context.result, context.transfer_syntax


@pytest.mark.parametrize(
    "uid",
    [
        *sop_class._STORAGE_CLASSES.values(),
        "1.2.840.10008.5.1.4.1.1.3",  # Ultrasound Multi-frame Image Storage (retired)
        "1.2.840.10008.5.1.4.1.1.6",  # Ultrasound Image Storage (retired)
        "1.2.840.10008.5.1.4.1.1.88.1",  # Text SR Storage - Trial
        "1.2.840.10008.5.1.1.27",  # Stored Print Storage (retired)
        "1.2.840.10008.5.1.4.1.1.12.77",  # withdrawn, without a name
        "1.2.840.10008.5.1.4.38.1",  # Hanging Protocol Storage
        "1.3.12.2.1107.5.9.1",  # private
        "1.2.840.10008.1.1",  # Verification
    ],
)
def test_every_storage_class_is_accepted(uid: str) -> None:
    """Current, retired and private storage classes are accepted when no list is set."""
    assert _result(uid)[0] == 0


_OTHERS = {
    f"{table}.{key}": uid
    for table, classes in vars(sop_class).items()
    if table.endswith("_CLASSES")
    and table not in {"_STORAGE_CLASSES", "_VERIFICATION_CLASSES", "_SERVICE_CLASSES"}
    and isinstance(classes, dict)
    for key, uid in classes.items()
    if not key.endswith("Storage")
}


@pytest.mark.parametrize(
    "uid",
    [*_OTHERS.values(), "1.2.840.10008.1.3.10", "1.2.840.10008.3.1.2.1.1", EXPLICIT, "", "x", "1" * 65],
    ids=[*_OTHERS, "DICOMDIR", "retired patient management", "a transfer syntax", "empty", "text", "long"],
)  # fmt: skip
def test_other_services_are_refused(uid: str) -> None:
    """What is known to be no storage class, or no UID, gets result 3."""
    assert _result(uid)[0] == 3


def test_a_list_of_classes_is_exact() -> None:
    """With SUPPORTED_SOP_CLASS_UIDS only its members and Verification are accepted."""
    settings = Settings(landing_url="file:///unused", supported_sop_class_uids=(CT,))
    assert _result(CT, settings=settings)[0] == 0
    assert _result("1.2.840.10008.1.1", settings=settings)[0] == 0
    assert _result("1.2.840.10008.5.1.4.1.1.4", settings=settings)[0] == 3


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        ((EXPLICIT, J2K), (0, EXPLICIT)),
        ((J2K, EXPLICIT, IMPLICIT), (0, J2K)),
        ((DEFLATED, IMPLICIT), (0, IMPLICIT)),
        (("9.9.9.9", J2K), (0, J2K)),
        ((DEFLATED,), (4, IMPLICIT)),
        (("1.2.840.10008.1.2.4.94",), (4, IMPLICIT)),
        (("9.9.9.9",), (4, IMPLICIT)),
    ],
)
def test_the_first_syntax_that_is_taken_wins(
    offered: tuple[str, ...], expected: tuple[int, str]
) -> None:
    """Rows 41 and 51: the proposer's order decides; deflated, JPIP and invented ones get result 4."""
    assert _result(CT, *offered) == expected


def test_the_transfer_syntaxes_are_those_that_can_be_imported() -> None:
    """34 of HealthImaging's 35: all but deflated."""
    assert len(TRANSFER_SYNTAXES) == 34
    assert DEFLATED not in TRANSFER_SYNTAXES


@pytest.mark.parametrize(
    ("proposed", "granted"),
    [(None, None), ((0, 0), (8, 8)), ((1, 1), (1, 1)), ((3, 1), (3, 1)), ((100, 0), (8, 8))],
)
def test_the_window_is_at_most_eight(
    proposed: tuple[int, int] | None, granted: tuple[int, int] | None
) -> None:
    """Row 16: min(proposed, 8), 0 means 8, no item without a proposal."""
    assert accept(_request((CT, (EXPLICIT,)), window=proposed), SETTINGS).window == granted


def test_roles() -> None:
    """The SCU role is granted, the SCP role never; a peer that would only be SCP is rejected."""
    both = accept(_request((CT, (EXPLICIT,)), roles=(Role(CT, scu=True, scp=True),)), SETTINGS)
    assert both.roles == (Role(CT, scu=True, scp=False),)
    only_scp = accept(_request((CT, (EXPLICIT,)), roles=(Role(CT, scu=False, scp=True),)), SETTINGS)
    assert (only_scp.contexts[0].result, only_scp.roles) == (1, ())


def test_no_context_is_still_an_association() -> None:
    """Row 13: nothing proposed is nothing accepted."""
    assert accept(_request(), SETTINGS).contexts == ()
    assert find_rejection(_request(), SETTINGS, draining=False) is None


def test_ae_titles_are_compared_without_their_padding() -> None:
    """Blanks on both ends do not count; case does."""
    settings = Settings(
        landing_url="file:///unused",
        require_called_ae_title=True,
        require_calling_ae_title=("CT 1", "MR"),
    )
    padded = _request(called=b"  STORESCP      ", calling=b" MR             ")
    assert find_rejection(padded, settings, draining=False) is None
    lower = _request(called=b"storescp        ")
    rejection = find_rejection(lower, settings, draining=False)
    assert rejection is not None
    assert rejection.code == "aet_called"


def test_hostile_titles_are_escaped() -> None:
    """What is logged of a title is printable ASCII."""
    assert ae_title_text(b"A\r\n\xff\0B          ") == "A\\r\\n\\xff\\x00B"


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"1.2.3", None),
        (b"1.2.3\0", None),
        (b"1.2.3 ", None),
        (b"1..02", None),
        (b"1" * 64, None),
        (b"1" * 65, "uid_long"),
        (b"", "uid_missing"),
        (b"\0", "uid_missing"),
        (b"1.2\\1.3", "uid_vm"),
        (b"..\\x", "uid_syntax"),
        (b"../../x", "uid_syntax"),
        (b"1.2\0.3", "uid_syntax"),
        (b" 1.2", "uid_syntax"),
        ("1.2\u202e".encode(), "uid_syntax"),
    ],
)
def test_uid_faults(raw: bytes, fault: str | None) -> None:
    """Rows 27 to 32: what is refused and what real modalities may send."""
    assert uid_fault(raw) == fault
    assert uid_text(raw).isascii()


PEERS = Settings(
    landing_url="s3://landing",
    ledger_table="ledger",
    commitment_peers=(Peer("CT 1", "10.0.0.1", 104),),
)
COMMITMENT = "1.2.840.10008.1.20.1"


def test_storage_commitment_is_off_unless_somebody_can_be_answered() -> None:
    """Nobody is told that it works when it cannot, SUPPORTED_SOP_CLASS_UIDS or not."""
    named = Settings(landing_url="file:///unused", supported_sop_class_uids=(COMMITMENT,))

    assert _result(COMMITMENT)[0] == 3
    assert _result(COMMITMENT, settings=named)[0] == 3


@pytest.mark.parametrize(
    ("calling", "result"), [(b"CT 1            ", 0), (b"CT 2            ", 1)]
)
def test_storage_commitment_is_for_those_with_an_address(calling: bytes, result: int) -> None:
    """User-rejection for the others, and the log can say so."""
    request = _request((COMMITMENT, (EXPLICIT,)), (CT, (EXPLICIT,)), calling=calling)

    first, second = accept(request, PEERS).contexts

    assert (first.result, second.result) == (result, 0)
    assert is_without_address(request, PEERS) == bool(result)
    assert not is_without_address(request, SETTINGS)


def test_storage_commitment_takes_message_syntaxes_only() -> None:
    """No image is sent on it, whatever a device proposes."""
    assert _result(COMMITMENT, J2K, EXPLICIT, settings=PEERS) == (0, EXPLICIT)
    assert _result(COMMITMENT, J2K, settings=PEERS)[0] == 4


def test_the_requestor_of_storage_commitment_is_its_scu() -> None:
    """PS3.7 D.3.3.4: what it proposes to be as SCP is not accepted, and SCP alone is refused."""
    both = _request((COMMITMENT, (EXPLICIT,)), roles=(Role(COMMITMENT, scu=True, scp=True),))
    scp = _request((COMMITMENT, (EXPLICIT,)), roles=(Role(COMMITMENT, scu=False, scp=True),))

    assert accept(both, PEERS).roles == (Role(COMMITMENT, scu=True, scp=False),)
    assert accept(scp, PEERS).contexts[0].result == 1
