"""What is written about an instance: its manifest row, its object's metadata, the record of a refusal."""

from __future__ import annotations

import binascii
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Protocol

from contract import manifest, metadata
from contract.reasons import WireReason
from receiver import native
from receiver.ports import Identity, Origin


class Described(Protocol):
    """An instance as far as records need it."""

    @property
    def identity(self) -> Identity:
        """What it is."""

    @property
    def origin(self) -> Origin:
        """Who sent it."""

    @property
    def size(self) -> int:
        """Bytes of the object."""

    @property
    def crc64nvme(self) -> int:
        """Checksum of them."""


def encode_crc64nvme(crc: int) -> str:
    """Return a checksum as S3 writes it: base64 of its 8 bytes, big-endian."""
    return binascii.b2a_base64(crc.to_bytes(8, "big"), newline=False).decode()


def encode_row(instance: Described, *, key: str, now: float) -> bytes:
    """Return the manifest row of an instance that lies under `key`."""
    template = row_template(instance.identity, instance.origin)
    uid = instance.identity.sop_instance_uid
    return _fill_row(template, key, uid, instance.size, instance.crc64nvme, now)


def row_template(identity: Identity, origin: Origin) -> str:
    """Return what the rows of a series have in common."""
    sop_class, _sop_instance, syntax, study, series = identity
    return manifest.row_template(
        (sop_class, syntax, study, series),
        (origin.calling_ae_title, origin.called_ae_title, origin.peer),
    )


def _fill(  # noqa: PLR0917 - as the part in C has it
    template: str, key: str, sop_instance_uid: str, size: int, crc64nvme: int, now: float, /
) -> bytes:
    # Neither a key nor a UID that was checked nor base64 has what JSON would escape.
    values = (f'"{key}"', f'"{sop_instance_uid}"', size, f'"{encode_crc64nvme(crc64nvme)}"')
    return (template % (*values, f"{now:.3f}")).encode()


_fill_row = native.fill_row if native.IS_NATIVE else _fill


def object_metadata(instance: Described, *, now: float) -> Mapping[str, str]:
    """Return the metadata that is stored with the object.

    It travels in HTTP headers: a value that is not printable ASCII is left out rather than changed.
    """
    identity, origin = instance.identity, instance.origin
    values = {
        metadata.SOP_INSTANCE_UID: identity.sop_instance_uid,
        metadata.SOP_CLASS_UID: identity.sop_class_uid,
        metadata.TRANSFER_SYNTAX_UID: identity.transfer_syntax_uid,
        metadata.STUDY_INSTANCE_UID: identity.study_instance_uid,
        metadata.SERIES_INSTANCE_UID: identity.series_instance_uid,
        metadata.CALLING_AE_TITLE: origin.calling_ae_title,
        metadata.CALLED_AE_TITLE: origin.called_ae_title,
        metadata.PEER: origin.peer,
        metadata.RECEIVED_AT: f"{now:.3f}",
    }
    return {
        name: value
        for name, value in values.items()
        if value and value.isascii() and value.isprintable() and value == value.strip()
    }


def encode_refusal(
    instance: Described, *, key: str, reason: WireReason, detail: str, now: float
) -> bytes:
    """Return the record of a refusal.

    Args:
        instance: As far as it was received.
        key: Where its bytes are kept; empty if they are not.
        reason: Stable code.
        detail: What exactly; never a value of the dataset.
        now: Unix time (s).
    """
    record = {
        "version": 1,
        "key": key,
        "reason": reason.value,
        "detail": detail,
        "refused_at": round(now, 3),
        "size": instance.size,
        "crc64nvme": encode_crc64nvme(instance.crc64nvme) if key else "",
        **instance.identity._asdict(),
        **asdict(instance.origin),
    }
    return json.dumps(record, separators=(",", ":")).encode()
