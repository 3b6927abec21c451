"""Value representations of explicit VR (PS3.5 7.1.2): how long is the length?"""

from __future__ import annotations

LONG = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
"""A 16-bit length field that is reserved, then 32 bits of length."""
SHORT = frozenset((b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"))  # fmt: skip
"""A 16-bit length."""
MAY_BE_UNDEFINED = frozenset((b"SQ", b"UN", b"OB", b"OW"))
"""May have the length 0xFFFFFFFF: a sequence, or fragments, follows."""


def has_long_form(length: int, after: int, group: int, *, little: bool) -> bool:
    """Guess whether an element of unknown VR has a 32-bit length.

    PS3.5 7.1.2 gives that form to all VRs of the future, after two zero bytes; devices that invent one
    mostly use the short form. A short form of length zero is told by the tag that follows it.
    """
    if length:
        return False
    if little:
        next_group, next_element = after & 0xFFFF, after >> 16
    else:
        next_group, next_element = after >> 16, after & 0xFFFF
    return not (next_group >= group and next_element)
