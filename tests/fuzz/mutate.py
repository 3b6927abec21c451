"""Mutations of a recorded session that know what a session consists of: PDUs, PDVs, commands, elements.

A blind mutation dies at the first length. These change one thing and encode everything around it anew, so
that what is behind it is reached, or they lie about one length on purpose. Most of them are made after the
association: that is where outsiders do not fuzz. `mutate` is a pure function of its arguments.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence

from tests.raw_pdus import command, elements_of

MOST_BYTES = 1 << 16
"""Of a mutated session: a finding must be small, and a case short."""
_HEAD = struct.Struct(">BxI")
_ITEM = struct.Struct(">IBB")
_ELEMENT = struct.Struct("<HHL")
_P_DATA = 4
_COMMAND = 1
_NUMBERS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)
_LENGTHS = (0, 1, 2, 3, 5, 255, 16_384, 1 << 20, (1 << 20) + 7, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
_VRS = (b"OB", b"OW", b"SQ", b"UN", b"UT", b"UI", b"PN", b"DA", b"DS", b"AT", b"FD", b"ZZ", b"\0\0")
_UIDS = (
    b"",
    b"1.2.840.10008.5.1.4.1.1.2",
    b"1.2.840.10008.1.1",
    b"1.2.840.10008.1.20.1",
    b"../../../../etc/passwd",
    b"1.2.3\\4.5.6",
    b"1.2\n3",
    b"1." * 40 + b"1",
    b"\xff\xfe",
    b"2.25.1\0\0\0",
)
_ELEMENTS = (
    b"\xfe\xff\x0d\xe0\0\0\0\0",  # an item's end where none began
    b"\xfe\xff\x00\xe0\xff\xff\xff\xff",  # an item without a sequence
    b"\xfe\xff\xdd\xe0\0\0\0\0",
    b"\x02\x00\x10\x00UI\x06\x001.2.3\0",  # file meta in a data set
    b"\x00\x00\x00\x01US\x02\x00\x01\x00",  # a command's element
    b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff",
    b"\x08\x00\x18\x00UI\xff\xff1.2",
    b"\x09\x00\x10\x00LO\x04\x00TEST",
)
_PDUS = (
    _HEAD.pack(5, 4) + bytes(4),
    _HEAD.pack(6, 4) + bytes(4),
    _HEAD.pack(7, 4) + bytes(4),
    _HEAD.pack(4, 0),
    _HEAD.pack(4, 6) + _ITEM.pack(2, 1, 3),
    _HEAD.pack(4, 0xFFFFFFFF),
    _HEAD.pack(0xFF, 8) + bytes(8),
    _HEAD.pack(2, 0xFFFFFFFF),
    b"GET / HTTP/1.1\r\n\r\n",
)
Session = list[bytes]
Pdv = tuple[int, int, bytes]
"""Context id, message control header, content."""


def mutate(data: bytes, rng: random.Random, others: Sequence[bytes] = ()) -> bytes:
    """Return a session with one to four changes.

    Args:
        data: A session's bytes, mutated before or not.
        rng: Decides everything.
        others: Sessions to take pieces from.
    """
    for _ in range(rng.choice((1, 1, 1, 2, 2, 4))):
        session = pdus_of(data)
        data = b"".join(rng.choices(_WAYS, _WEIGHTS)[0](session, rng, others))[:MOST_BYTES]
    return data


def pdus_of(data: bytes) -> Session:
    """Cut a session into PDUs; what is no PDU is the last piece."""
    found = []
    while len(data) >= _HEAD.size:
        length = _HEAD.unpack_from(data)[1] + _HEAD.size
        if length > len(data):
            break
        found.append(data[:length])
        data = data[length:]
    return found + ([data] if data else [])


def pdvs_of(pdu: bytes) -> list[Pdv] | None:
    """Cut a P-DATA-TF PDU into its PDVs; None if it is none or its lengths are wrong."""
    if len(pdu) < _HEAD.size or pdu[0] != _P_DATA:
        return None
    found, position = [], _HEAD.size
    while position < len(pdu):
        if position + _ITEM.size > len(pdu):
            return None
        length, context_id, control = _ITEM.unpack_from(pdu, position)
        end = position + 4 + length
        if length < 2 or end > len(pdu):
            return None
        found.append((context_id, control, pdu[position + _ITEM.size : end]))
        position = end
    return found


def p_data(pdvs: Sequence[Pdv]) -> bytes:
    """Return the P-DATA-TF PDU of some PDVs."""
    body = b"".join(_ITEM.pack(len(c) + 2, i, control & 0xFF) + c for i, control, c in pdvs)
    return _HEAD.pack(_P_DATA, len(body)) + body


def _change_pdus(session: Session, rng: random.Random, others: Sequence[bytes]) -> Session:
    """Leave out, repeat, swap, insert or cut PDUs."""
    at = rng.randrange(len(session)) if session else 0
    piece = session[at] if session else b""
    foreign = pdus_of(rng.choice(others)) if others else []
    return rng.choice(
        (
            lambda: session[:at] + session[at + 1 :],
            lambda: session[: at + 1] + session[at:],
            lambda: session[: at + 1] + session[:at],
            lambda: [*session[:at], rng.choice(_PDUS), *session[at:]],
            lambda: [*session[:at], piece[: rng.randrange(len(piece) + 1)]],
            lambda: [*session[:at], *foreign[rng.randrange(len(foreign) + 1) :]],
            lambda: session[:1] + rng.sample(session[1:], max(0, len(session) - 1)),
            lambda: session + session[1:],
        )
    )()


def _lie(session: Session, rng: random.Random, _: Sequence[bytes]) -> Session:
    """Change a PDU's type or length, or the length of one of its PDVs, and nothing else."""
    at = _after_association(session, rng)
    pdu = bytearray(session[at])
    if len(pdu) < _HEAD.size + _ITEM.size:
        return session
    length = rng.choice((*_LENGTHS, len(pdu) - 7, len(pdu) - 5, len(pdu) - 6 - 4))
    if rng.random() < 0.2:
        pdu[0] = rng.choice((*range(9), 0xFF))
    elif rng.random() < 0.5:
        struct.pack_into(">I", pdu, 2, length & 0xFFFFFFFF)
    else:
        struct.pack_into(">I", pdu, _HEAD.size, length & 0xFFFFFFFF)
    return [*session[:at], bytes(pdu), *session[at + 1 :]]


def _change_pdvs(session: Session, rng: random.Random, _: Sequence[bytes]) -> Session:
    """Split, join, reorder, empty or rename PDVs."""
    at = _after_association(session, rng)
    pdvs = pdvs_of(session[at])
    if not pdvs:
        return session
    n = rng.randrange(len(pdvs))
    context_id, control, content = pdvs[n]
    cut = rng.randrange(len(content) + 1)
    changed: list[Pdv] = rng.choice(
        (
            [(context_id, control & ~2, content[:cut]), (context_id, control, content[cut:])],
            [(context_id, control ^ rng.choice((1, 2, 3, 0x80)), content)],
            [(rng.choice((0, 1, 2, 3, 5, 255)), control, content)],
            [(context_id, control & ~2, b"")] * rng.choice((1, 2, 17)) + [pdvs[n]],
            [pdvs[n], pdvs[n]],
            [],
            [(context_id, control, content[:cut])],
            [(context_id, control, content + rng.randbytes(rng.choice((1, 2, 8, 300))))],
        )
    )
    parts = [*pdvs[:n], *changed, *pdvs[n + 1 :]]
    if rng.random() < 0.3:
        return [*session[:at], *(p_data([pdv]) for pdv in parts), *session[at + 1 :]]
    return [*session[:at], p_data(parts), *session[at + 1 :]]


def _change_command(session: Session, rng: random.Random, _: Sequence[bytes]) -> Session:
    """Change an element of a command set: leave it out, repeat it, give it another value or length."""
    found = _find_pdv(session, rng, command_set=True)
    if found is None:
        return session
    at, pdvs, n = found
    context_id, control, content = pdvs[n]
    try:
        elements = [pair for pair in elements_of(content) if pair[0]]
    except struct.error:
        elements = []
    if not elements:
        return session
    k = rng.randrange(len(elements))
    tag, value = elements[k]
    number = struct.pack("<H", rng.choice(_NUMBERS))
    other: list[tuple[int, bytes]] = rng.choice(
        (
            [],
            [elements[k], elements[k]],
            [(tag, number)],
            [(tag, rng.choice(_UIDS))],
            [(tag, value + b"\0")],
            [(tag, value[:-1])],
            [(rng.choice((0x0002, 0x0100, 0x0110, 0x0120, 0x0800, 0x0900, 0x1000)), value)],
        )
    )
    elements[k : k + 1] = other
    if rng.random() < 0.2:
        rng.shuffle(elements)
    changed = bytearray(command(elements))
    if rng.random() < 0.1:
        struct.pack_into("<L", changed, 4, rng.choice(_LENGTHS))
    pdvs[n] = (context_id, control, bytes(changed))
    return [*session[:at], p_data(pdvs), *session[at + 1 :]]


def _change_dataset(session: Session, rng: random.Random, _: Sequence[bytes]) -> Session:
    """Change an element of a data set in Explicit VR Little Endian, or insert one that does not belong."""
    found = _find_pdv(session, rng, command_set=False)
    if found is None:
        return session
    at, pdvs, n = found
    context_id, control, content = pdvs[n]
    starts = _explicit_starts(content)
    start = rng.choice(starts)
    data = bytearray(content)
    way = rng.randrange(6)
    if way == 0 or len(content) < start + 8:
        data[start:start] = rng.choice(_ELEMENTS) * rng.choice((1, 1, 1, 2, 70))
    elif way == 1:
        data[start + 4 : start + 6] = rng.choice(_VRS)
    elif way == 2:
        struct.pack_into("<H", data, start + 6, rng.choice(_NUMBERS))
    elif way == 3:
        del data[start : rng.choice([s for s in starts if s >= start])]
    elif way == 4:
        struct.pack_into("<HH", data, start, rng.choice(_NUMBERS), rng.choice(_NUMBERS))
    else:
        data = data[: rng.randrange(len(data) + 1)]
    pdvs[n] = (context_id, control, bytes(data))
    return [*session[:at], p_data(pdvs), *session[at + 1 :]]


def _change_association(session: Session, rng: random.Random, _: Sequence[bytes]) -> Session:
    """Change bytes, an item's type or an item's length in the A-ASSOCIATE-RQ."""
    if not session or len(session[0]) < 80:
        return session
    pdu = bytearray(session[0])
    at = rng.randrange(_HEAD.size, len(pdu) - 4)
    way = rng.randrange(4)
    if way == 0:
        pdu[at] = rng.choice((0, 1, 0x10, 0x20, 0x21, 0x30, 0x40, 0x50, 0x51, 0x53, 0xFF))
    elif way == 1:
        struct.pack_into(">H", pdu, at, rng.choice(_NUMBERS))
    elif way == 2:
        del pdu[at : at + rng.choice((1, 4, 20))]
        struct.pack_into(">I", pdu, 2, len(pdu) - _HEAD.size)
    else:
        pdu[at:at] = pdu[at : at + rng.choice((4, 30, 300))]
        struct.pack_into(">I", pdu, 2, len(pdu) - _HEAD.size)
    return [bytes(pdu), *session[1:]]


def _change_bytes(session: Session, rng: random.Random, _: Sequence[bytes]) -> Session:
    """Flip, set, delete or insert some bytes anywhere."""
    data = bytearray(b"".join(session))
    for _n in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(data)) if data else 0
        way = rng.randrange(4)
        if way == 0 and data:
            data[at] ^= 1 << rng.randrange(8)
        elif way == 1 and data:
            data[at] = rng.choice(_NUMBERS) & 0xFF
        elif way == 2:
            del data[at : at + rng.choice((1, 2, 4, 64))]
        else:
            data[at:at] = rng.randbytes(rng.choice((1, 2, 4, 64)))
    return [bytes(data)]


_Way = Callable[[Session, random.Random, Sequence[bytes]], Session]
_CHOICES: dict[_Way, int] = {
    _change_pdus: 3,
    _lie: 2,
    _change_pdvs: 4,
    _change_command: 4,
    _change_dataset: 5,
    _change_association: 2,
    _change_bytes: 1,
}
_WAYS, _WEIGHTS = list(_CHOICES), list(_CHOICES.values())


def _after_association(session: Session, rng: random.Random) -> int:
    """Return the index of a PDU, of the first one seldom."""
    if len(session) < 2 or rng.random() < 0.1:
        session += [] if session else [b""]
        return 0
    return rng.randrange(1, len(session))


def _find_pdv(
    session: Session, rng: random.Random, *, command_set: bool
) -> tuple[int, list[Pdv], int] | None:
    """Return a PDU's index, its PDVs and the index of one that carries what is wanted."""
    found = [
        (at, pdvs, n)
        for at, pdu in enumerate(session)
        if (pdvs := pdvs_of(pdu))
        for n, (_, control, content) in enumerate(pdvs)
        if bool(control & _COMMAND) is command_set and content
    ]
    return rng.choice(found) if found else None


def _explicit_starts(content: bytes) -> list[int]:
    """Return where the elements of a data set begin, as far as they can be followed, and its end."""
    starts, position = [0], 0
    while position + 8 <= len(content):
        if content[position + 4 : position + 6] in (b"OB", b"OW", b"SQ", b"UN", b"UT"):
            if position + 12 > len(content):
                break
            position += 12 + struct.unpack_from("<L", content, position + 8)[0]
        else:
            position += 8 + struct.unpack_from("<H", content, position + 6)[0]
        if position > len(content):
            break
        starts.append(position)
    return starts
