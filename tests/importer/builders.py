"""Batches, rows and job outputs made in code."""

from __future__ import annotations

from contract.keys import BatchId, BatchKind
from contract.manifest import Manifest, Row, Sealer

NOW = 1_795_000_000.0
"""Some moment; the hour of it is the hour of every batch made here."""


def make_batch_id(*, random: str = "0123456789ab", now: float = NOW) -> BatchId:
    base = BatchId.new(now=now, lease_s=120)
    return BatchId(base.hour, base.deadline, BatchKind.NORMAL, random)


def make_row(batch: BatchId, n: int, *, uid: str | None = None, crc: str | None = None) -> Row:
    key = f"{batch.prefix}{n // 64:02d}/{n:04d}/{n:016x}.dcm"
    return Row(
        key=key,
        sop_instance_uid=uid or f"1.2.3.{batch.random}.{n}".replace("ab", "1"),
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        study_instance_uid="1.2.3.1",
        series_instance_uid="1.2.3.2",
        size=1000 + n,
        crc64nvme=crc or f"crc{n}",
        calling_ae_title="CT1",
        called_ae_title="STORESCP",
        peer="10.0.0.1",
        received_at=NOW + n / 1000,
    )


def make_manifest(batch: BatchId, rows: int | list[Row]) -> Manifest:
    made = rows if isinstance(rows, list) else [make_row(batch, n) for n in range(rows)]
    return Manifest(batch=batch, sealed_at=NOW, sealed_by=Sealer.WORKER, rows=tuple(made))
