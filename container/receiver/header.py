"""The walk over a dataset's first elements: which instance is it, and is it a dataset at all?

Fed with the bytes as they arrive, in pieces of any size; iterative; skips values by arithmetic; never
decodes text. It ends after Series Instance UID (0020,000E), or at the first element beyond it once SOP
class and instance are known: what follows is the importer's business.
"""

# long: one loop over the elements and its state; a call per element would double its cost.

from __future__ import annotations

import struct
import time
from collections.abc import Callable

from contract.reasons import WireReason
from receiver.syntaxes import EXPLICIT_VR_BIG_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, uid_text
from receiver.vr import LONG, MAY_BE_UNDEFINED, SHORT, has_long_form

MAX_ELEMENTS = 20_000
"""Elements looked at, at every depth: about 20 ms of work."""
MAX_BYTES = 16 * 1024 * 1024 - 65_536
"""Bytes within which the UIDs must come; just below what is held before an upload has to start."""
MAX_DEPTH = 64
"""Sequences of undefined length within each other; no IOD comes near."""

SOP_CLASS_UID = 0x0008_0016
SOP_INSTANCE_UID = 0x0008_0018
STUDY_INSTANCE_UID = 0x0020_000D
SERIES_INSTANCE_UID = 0x0020_000E
_WANTED = frozenset((SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID))
_SOP_ELEMENTS = frozenset((0x16, 0x18))
_PIXEL_DATA_GROUP = 0x7FE0

_SLICE = 512
"""Elements after which other threads get a turn (about half a millisecond)."""
_PREAMBLE = 132
"""Bytes looked at before the first element is judged: a Part 10 file has DICM at 128."""
_MAX_VALUE = 1024
"""Longest UID value that is read; a longer one counts as present and different from any other."""
_ELEMENT_BYTES = 12 + _MAX_VALUE
_UNDEFINED = 0xFFFF_FFFF
_ITEM_GROUP = 0xFFFE
_ITEM, _ITEM_END, _SEQUENCE_END = 0xE000, 0xE00D, 0xE0DD

_IMPLICIT = struct.Struct("<HHL")
_LITTLE = (struct.Struct("<HH2sH"), struct.Struct("<L"))
_BIG = (struct.Struct(">HH2sH"), struct.Struct(">L"))


class HeaderError(Exception):
    """The dataset is not one that can be kept as an instance.

    Attributes:
        reason: Stable code.
        detail: Tag and numbers, never a value.
    """

    def __init__(self, reason: WireReason, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


class HeaderWalk:
    """One dataset's walk.

    Attributes:
        done: True when nothing more needs to be fed; `finish` must still be called.
        uids: Values found, by tag, padding removed.
        elements: Elements looked at.
    """

    def __init__(self, transfer_syntax_uid: str, pause: Callable[[], None] | None = None) -> None:
        self.done = False
        self.uids: dict[int, str] = {}
        self.elements = 0
        self._top_implicit = transfer_syntax_uid == IMPLICIT_VR_LITTLE_ENDIAN
        self._implicit = self._top_implicit  # where the walk is now; differs within a UN sequence
        self._explicit, self._long = (
            _BIG if transfer_syntax_uid == EXPLICIT_VR_BIG_ENDIAN else _LITTLE
        )
        self._pause = pause or (lambda: time.sleep(0))
        self._fed = 0
        self._carry = b""  # the start of an element that the last piece cut
        self._skip = 0  # bytes of a value that are still to come
        # Sequence, item, sequence, item...: which encoding to return to. Its parity says what may come:
        # an element (even) or an item (odd).
        self._stack: list[bool] = []
        self._started = False
        # A VR that this walk does not know was passed by a guess of its length.
        self._uncertain = False
        self._error: HeaderError | None = None

    def feed(self, piece: memoryview) -> None:
        """Look at the next bytes of the dataset; errors wait for `finish`."""
        if self.done:
            return
        self._fed += len(piece)
        try:
            self._feed(piece)
        except HeaderError as error:
            self._fail(error)
        if self._fed >= MAX_BYTES:
            self.done = True

    def finish(self) -> None:
        """Judge the dataset, which is either `done` or has come to its end.

        Raises:
            HeaderError: It cannot be kept as an instance.
        """
        if not self._fed:
            raise HeaderError(WireReason.EMPTY_DATASET, "no byte")
        if not self.done:
            try:
                self._end()
            except HeaderError as error:
                self._fail(error)
        if self._error is not None:
            raise self._error
        for tag in (SOP_CLASS_UID, SOP_INSTANCE_UID):
            if not self.uids.get(tag):
                raise HeaderError(WireReason.UID_MISSING, f"({tag >> 16:04X},{tag & 0xFFFF:04X})")

    def _end(self) -> None:
        if not self._started:
            self._start(self._carry)
            self._carry = self._walk_from(memoryview(self._carry), 0)
        if self.done:
            return
        if self._skip or self._carry:
            raise HeaderError(WireReason.TRUNCATED, f"within an element, after {self._fed} bytes")
        if self._stack:
            raise HeaderError(WireReason.SEQ_BOMB, "a sequence is not delimited")

    def _fail(self, error: HeaderError) -> None:
        self.done = True
        # Lost after a VR of the future or of nobody: the instance is known, the importer decides.
        if not self._uncertain or not self.uids.keys() >= {SOP_CLASS_UID, SOP_INSTANCE_UID}:
            self._error = error

    def _feed(self, piece: memoryview) -> None:
        if not self._started:
            if len(self._carry) + len(piece) < _PREAMBLE:
                self._carry += piece
                return
            first = self._carry + piece[:_PREAMBLE]
            self._start(first)
            if self._carry:
                piece = memoryview(self._carry + piece)  # at most one piece per instance
                self._carry = b""
        start = 0
        if self._carry:
            # Complete the element that was cut; it has at most _ELEMENT_BYTES that matter.
            joined = memoryview(self._carry + piece[:_ELEMENT_BYTES])
            cut = len(self._carry)
            position = self._walk(joined, 0, cut)
            if self.done:
                return
            if position < cut:
                self._carry = bytes(joined[position:])
                return
            self._carry = b""
            start = position - cut
        elif self._skip:
            start = self._skip
        self._skip = 0
        if start >= len(piece):
            self._skip = start - len(piece)
            return
        self._carry = self._walk_from(piece, start)

    def _walk_from(self, piece: memoryview, start: int) -> bytes:
        """Walk to the end of `piece`; return what is left of it."""
        position = self._walk(piece, start, len(piece))
        if self.done:
            return b""
        self._skip = max(position - len(piece), 0)
        return bytes(piece[position:])

    def _start(self, first: bytes) -> None:
        """Judge the dataset's first bytes: is it encoded as its presentation context says?"""
        self._started = True
        if first[128:132] == b"DICM" and first[:2] != b"\x08\0":
            raise HeaderError(WireReason.META_IN_DATASET, "a Part 10 file with its preamble")
        if len(first) < _IMPLICIT.size:
            return
        little = int.from_bytes(first[:2], "little")
        group = self._group(first)
        if group == 0:
            raise HeaderError(WireReason.GROUP_0, "first element")
        if group and not group & 0xFF:
            raise HeaderError(WireReason.TS_MISMATCH, f"byte order: group {little:04X} comes first")
        vr = first[4:6]
        if self._implicit and (vr in LONG or vr in SHORT):
            raise HeaderError(WireReason.TS_MISMATCH, "explicit VR in an implicit VR context")
        if not self._implicit and not (vr.isalpha() and vr.isupper()):
            raise HeaderError(WireReason.TS_MISMATCH, "no VR in an explicit VR context")

    def _group(self, first: bytes) -> int:
        order = self._explicit if not self._implicit else _IMPLICIT
        return int(order.unpack_from(first)[0])

    def _walk(self, data: memoryview, position: int, stop: int) -> int:  # noqa: C901, PLR0912, PLR0915 - one loop: a call per element would double its cost
        """Walk the elements that start before `stop`; return where the next one starts.

        That may be beyond the end of `data`, by as much as remains of a value; or before `stop`, if
        `data` ends within an element's header or wanted value.
        """
        end = len(data)
        stack = self._stack
        implicit = self._implicit
        explicit, long = self._explicit, self._long
        count = 0
        while position < stop:
            if not stack:
                position, passed = self._pass_plain(data, position, min(stop, end - 11))
                count += passed
                if self.done or position >= stop:
                    break
            if position + 8 > end:
                break
            count += 1
            if count > _SLICE:
                self.elements += count
                count = 0
                if self.elements > MAX_ELEMENTS:
                    break
                self._pause()
            if implicit:
                group, element, length = _IMPLICIT.unpack_from(data, position)
                value = position + 8
                vr = b"SQ"
            else:
                group, element, vr, length = explicit.unpack_from(data, position)
                value = position + 8
                if vr in LONG and group != _ITEM_GROUP:
                    if position + 12 > end:
                        break
                    (length,) = long.unpack_from(data, position + 8)
                    value = position + 12
                elif vr not in SHORT:
                    if group == _ITEM_GROUP:
                        (length,) = long.unpack_from(data, position + 4)
                    else:
                        if position + 12 > end:
                            break
                        self._uncertain = True
                        (after,) = long.unpack_from(data, position + 8)
                        if has_long_form(length, after, group, little=explicit is _LITTLE[0]):
                            length, value = after, position + 12
            if group == _ITEM_GROUP:
                if element == _ITEM and len(stack) % 2:
                    if length == _UNDEFINED:
                        stack.append(implicit)
                        position = value
                    else:
                        position = value + length
                elif (element == _ITEM_END and stack and len(stack) % 2 == 0) or (
                    element == _SEQUENCE_END and len(stack) % 2
                ):
                    implicit = stack.pop()
                    position = value
                else:
                    raise HeaderError(WireReason.SEQ_BOMB, f"(FFFE,{element:04X}) out of place")
                continue
            if len(stack) % 2:
                raise HeaderError(WireReason.SEQ_BOMB, f"group {group:04X} instead of an item")
            if length == _UNDEFINED:
                if vr not in MAY_BE_UNDEFINED:
                    raise HeaderError(WireReason.TS_MISMATCH, "undefined length without a sequence")
                if len(stack) >= 2 * MAX_DEPTH:
                    raise HeaderError(WireReason.SEQ_BOMB, f"deeper than {MAX_DEPTH} sequences")
                stack.append(implicit)
                # PS3.5 6.2.2: the content of such a UN is Implicit VR Little Endian.
                implicit = implicit or vr == b"UN"
                position = value
                continue
            if not stack and (group < 8 or group >= 0x20):  # noqa: PLR2004 - groups of the wanted tags
                if group == 0:
                    raise HeaderError(WireReason.GROUP_0, f"element {element:04X}")
                if group == 2:  # noqa: PLR2004 - file meta
                    raise HeaderError(WireReason.META_IN_DATASET, f"(0002,{element:04X})")
                if self._is_beyond(group, element):
                    self.done = True
                    break
            tag = group << 16 | element
            if tag in _WANTED and not stack and tag not in self.uids:
                if length > _MAX_VALUE:
                    self.uids[tag] = "(too long)"
                elif not self._take(data, tag, value, length):
                    count -= 1
                    break
                elif self.done:
                    break
            position = value + length
        self._implicit = implicit
        self.elements += count
        if self.elements > MAX_ELEMENTS:
            self.done = True
        return position

    def _pass_plain(self, data: memoryview, position: int, stop: int) -> tuple[int, int]:  # noqa: C901 - see _walk
        """Pass the elements that need no thought: the most part of every header, three times faster.

        Returns where the first one starts that does, or that starts at `stop` or later, and how many
        were passed. At most one slice of them; `done` is set with the last wanted UID.
        """
        implicit = self._top_implicit
        unpack = _IMPLICIT.unpack_from if implicit else self._explicit.unpack_from
        count = 0
        while position < stop:
            if implicit:
                group, element, length = unpack(data, position)
                vr = b"UN" if length == _UNDEFINED else b"UI"
            else:
                group, element, vr, length = unpack(data, position)
            if group >= 0x20 or group < 8 or (group == 8 and element in _SOP_ELEMENTS):  # noqa: PLR2004 - groups of the wanted tags
                if vr != b"UI" or not self._take(data, group << 16 | element, position + 8, length):
                    break
                if self.done:
                    count += 1
                    break
            if vr in SHORT:
                position += 8 + length
            elif implicit:
                break
            elif vr in LONG:
                (length,) = self._long.unpack_from(data, position + 8)
                if length == _UNDEFINED:
                    break
                position += 12 + length
            else:
                break
            count += 1
            if count == _SLICE:
                break
        return position, count

    def _take(self, data: memoryview, tag: int, value: int, length: int) -> bool:
        """Take a UID that is wanted and all there, `done` with the last; return whether it was one."""
        uids = self.uids
        if tag not in _WANTED or tag in uids or length > _MAX_VALUE or value + length > len(data):
            return False
        uids[tag] = uid_text(bytes(data[value : value + length]))
        self.done = len(uids) == len(_WANTED)
        return True

    def _is_beyond(self, group: int, element: int) -> bool:
        """Return whether the walk may end here; tags out of order make it go on (row 45)."""
        if group == _PIXEL_DATA_GROUP:
            return True
        if group == 0x20 and element <= 0x0E:  # noqa: PLR2004 - (0020,000E)
            return False
        return SOP_CLASS_UID in self.uids and SOP_INSTANCE_UID in self.uids
