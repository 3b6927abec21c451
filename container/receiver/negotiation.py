"""The policy of associations: request and settings in, acceptance or rejection out. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from contract.reasons import WireReason
from receiver.associate import (
    Acceptance,
    AssociateRequest,
    ContextResult,
    ProposedContext,
    Role,
)
from receiver.settings import Settings
from receiver.syntaxes import (
    APPLICATION_CONTEXT,
    IMPLICIT_VR_LITTLE_ENDIAN,
    MESSAGE_SYNTAXES,
    NON_STORAGE,
    STORAGE_COMMITMENT,
    TRANSFER_SYNTAXES,
    VERIFICATION,
)

MAX_WINDOW = 8
"""Most asynchronous operations granted: their instances are in memory at once."""

ACCEPTED = 0
USER_REJECTION = 1
ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
TRANSFER_SYNTAXES_NOT_SUPPORTED = 4

_AE_TITLE = re.compile(rb"[ -\[\]-~]*")
"""PS3.5 VR AE: the default repertoire without backslash and control characters."""
_UID = re.compile(r"[0-9.]{1,64}")


@dataclass(frozen=True, slots=True)
class Rejection:
    """What an A-ASSOCIATE-RJ says (PS3.8 table 9-21), and our code for it."""

    result: int
    source: int
    reason: int
    code: WireReason


PROTOCOL_VERSION = Rejection(1, 2, 2, WireReason.PROTO_VERSION)
APPLICATION_CONTEXT_NAME = Rejection(1, 1, 2, WireReason.APP_CONTEXT)
CALLED_UNKNOWN = Rejection(1, 1, 7, WireReason.AET_CALLED)
CALLED_INVALID = Rejection(1, 1, 7, WireReason.AET_INVALID)
CALLING_UNKNOWN = Rejection(1, 1, 3, WireReason.AET_CALLING)
CALLING_UNPROVED = Rejection(1, 1, 3, WireReason.AET_CERTIFICATE)
CALLING_INVALID = Rejection(1, 1, 3, WireReason.AET_INVALID)
DRAINING = Rejection(2, 3, 1, WireReason.DRAINING)
"""Temporary congestion: the sender finds another task or tries again."""


def over_limit(reason: WireReason) -> Rejection:
    """Return the rejection of a sender for which there is no place: local limit exceeded, transient."""
    return Rejection(2, 3, 2, reason)


def ae_title_text(raw: bytes) -> str:
    """Return an AE title as text without its padding; what is not printable ASCII is escaped."""
    return raw.decode("latin-1").strip(" ").encode("unicode_escape").decode("ascii")


def find_rejection(
    request: AssociateRequest,
    settings: Settings,
    *,
    draining: bool,
    common_names: Collection[str] = (),
) -> Rejection | None:
    """Return why the association as a whole is refused, None if it is not.

    Args:
        request: As received.
        settings: The receiver's.
        draining: Whether it takes no new ones.
        common_names: Of the sender's certificate.
    """
    if not request.protocol_version & 1:
        return PROTOCOL_VERSION
    if request.application_context != APPLICATION_CONTEXT:
        return APPLICATION_CONTEXT_NAME
    for raw, invalid in ((request.called, CALLED_INVALID), (request.calling, CALLING_INVALID)):
        if not raw.strip(b" ") or not _AE_TITLE.fullmatch(raw):
            return invalid
    if settings.require_called_ae_title and ae_title_text(request.called) != settings.ae_title:
        return CALLED_UNKNOWN
    unwelcome = _judge_calling(ae_title_text(request.calling), settings, common_names)
    return unwelcome or (DRAINING if draining else None)


def _judge_calling(
    title: str, settings: Settings, common_names: Collection[str]
) -> Rejection | None:
    allowed = settings.require_calling_ae_title
    if allowed and title not in allowed:
        return CALLING_UNKNOWN
    # The common name stands for the title, several of them for several: no kind of alternative name
    # could hold one (blanks and underscores are no host name's, and case counts).
    if settings.bind_ae_title_to_certificate and title not in common_names:
        return CALLING_UNPROVED
    return None


def accept(request: AssociateRequest, settings: Settings) -> Acceptance:
    """Decide on each proposed context, on the window and on the roles."""
    roles = {role.sop_class_uid: role for role in request.roles}
    calling = ae_title_text(request.calling)
    contexts = tuple(_judge(context, settings, calling, roles) for context in request.contexts)
    accepted = {c.abstract_syntax for c in contexts if c.result == ACCEPTED}
    return Acceptance(
        contexts=contexts,
        window=request.window and (_granted(request.window[0]), _granted(request.window[1])),
        # We never are the SCU of an association that we did not open.
        roles=tuple(
            Role(uid, role.scu, scp=False) for uid, role in roles.items() if uid in accepted
        ),
        maximum_length=settings.maximum_pdu_size,
    )


def _granted(proposed: int) -> int:
    """Return how many operations are granted; 0 proposes any number (PS3.7 D.3.3.3)."""
    return min(proposed or MAX_WINDOW, MAX_WINDOW)


def _judge(
    context: ProposedContext, settings: Settings, calling: str, roles: dict[str, Role]
) -> ContextResult:
    uid = context.abstract_syntax
    offered = context.transfer_syntaxes
    commits = uid == STORAGE_COMMITMENT
    taken = MESSAGE_SYNTAXES if commits else TRANSFER_SYNTAXES
    # The first of the proposer's list that we take: it lists first what it has, so compressed
    # originals come as they are.
    chosen = next((syntax for syntax in offered if syntax in taken), None)
    role = roles.get(uid)
    if commits and settings.commitment_peers:
        served = True
    else:
        served = is_served(uid, settings.supported_sop_class_uids) and not commits
    if not served:
        result = ABSTRACT_SYNTAX_NOT_SUPPORTED
    elif commits and settings.commitment_peer(calling) is None:
        # Images take minutes to be imported: without an address most answers could never be given.
        result = USER_REJECTION
    elif chosen is None:
        result = TRANSFER_SYNTAXES_NOT_SUPPORTED
    elif role is not None and not role.scu:
        result = USER_REJECTION  # it would only be the SCP, and so are we
    else:
        result = ACCEPTED
    return ContextResult(context.context_id, result, uid, chosen or IMPLICIT_VR_LITTLE_ENDIAN)


def is_without_address(request: AssociateRequest, settings: Settings) -> bool:
    """Return whether storage commitment was proposed by one that has no address to be answered at."""
    proposed = any(c.abstract_syntax == STORAGE_COMMITMENT for c in request.contexts)
    calling = ae_title_text(request.calling)
    return bool(
        proposed and settings.commitment_peers and settings.commitment_peer(calling) is None
    )


def is_served(uid: str, supported: tuple[str, ...]) -> bool:
    """Return whether instances of a SOP class are taken (Verification counts as such).

    Args:
        uid: The SOP class.
        supported: SUPPORTED_SOP_CLASS_UIDS; empty for every storage class.
    """
    if uid == VERIFICATION:
        return True
    if supported:
        return uid in supported
    return uid not in NON_STORAGE and _UID.fullmatch(uid) is not None
