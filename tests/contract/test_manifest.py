from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.keys import BatchId
from contract.manifest import InvalidManifestError, Manifest, Row, Sealer, join_rows

SAMPLES = Path(__file__).parent / "samples"
BATCH = BatchId.new(now=1_790_000_000, lease_s=120)

printable = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=64)


@st.composite
def rows(draw: st.DrawFn) -> Row:
    return Row(
        key=BATCH.instance_key(draw(st.integers(0, 3999))),
        sop_instance_uid=draw(st.text(max_size=64)),
        sop_class_uid=draw(printable),
        transfer_syntax_uid=draw(printable),
        study_instance_uid=draw(printable),
        size=draw(st.integers(0, 5_000_000_000)),
        crc64nvme=draw(printable),
        calling_ae_title=draw(printable),
        peer=draw(printable),
        received_at=draw(st.floats(0, 4e9)),
    )


def sample_rows(count: int) -> tuple[Row, ...]:
    return tuple(
        Row(
            key=BATCH.instance_key(n),
            sop_instance_uid=f"1.2.{n}",
            sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            size=1000 + n,
            crc64nvme="AAAAAAAAAAA=",
        )
        for n in range(count)
    )


def sample_manifest(count: int = 3) -> Manifest:
    return Manifest(
        batch=BATCH, sealed_at=1_790_000_060.5, sealed_by=Sealer.WORKER, rows=sample_rows(count)
    )


def changed(**changes: Any) -> bytes:
    document = json.loads(sample_manifest().encode())
    return json.dumps({**document, **changes}).encode()


@given(st.lists(rows(), max_size=5), st.sampled_from(Sealer))
def test_consumer_reads_what_the_producer_wrote(written: list[Row], sealer: Sealer) -> None:
    """A manifest is the same after its bytes, whatever the rows' texts hold."""
    manifest = Manifest(batch=BATCH, sealed_at=1.5, sealed_by=sealer, rows=tuple(written))

    assert manifest == Manifest.decode(manifest.encode())


def test_sealing_is_joining_encoded_rows() -> None:
    """Rows that were encoded one by one give the very bytes of the whole manifest."""
    manifest = sample_manifest()
    joined = join_rows(
        batch=BATCH,
        sealed_at=manifest.sealed_at,
        sealed_by=manifest.sealed_by,
        rows=b"".join(row.encode() + b"\n" for row in manifest.rows),
        total_bytes=manifest.size,
    )

    assert manifest.encode() == joined


def test_a_row_is_one_line() -> None:
    """No text in a row can break its line."""
    row = sample_rows(1)[0]
    hostile = Row.decode({**json.loads(row.encode()), "peer": "a\nb\u2028c\x00"})

    assert b"\n" not in hostile.encode()
    assert hostile == Row.decode(json.loads(hostile.encode()))


@given(st.integers(0, 10_000))
def test_a_cut_manifest_is_refused(cut: int) -> None:
    """Whatever byte it was cut at, a manifest never passes for a shorter one."""
    data = sample_manifest(8).encode()
    kept = data[: cut % (len(data) - 2)]

    with pytest.raises(InvalidManifestError):
        Manifest.decode(kept)


def test_a_lost_row_is_refused() -> None:
    """Valid JSON with one row less than its count is refused."""
    lines = sample_manifest().encode().split(b"\n")
    del lines[1]

    with pytest.raises(InvalidManifestError, match="count"):
        Manifest.decode(b"\n".join(lines))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"[" * 100_000,
        b"\xff\xfe",
        changed(version=2),
        changed(version="1"),
        changed(batch="x"),
        changed(batch=None),
        changed(sealed_by="nobody"),
        changed(sealed_at="soon"),
        changed(count=2),
        changed(bytes=1),
        changed(instances={}),
        changed(instances=["row"]),
        changed(instances=[None]),
        changed(instances=[{"key": "x"}]),
    ],
)
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    """Anything else than a whole manifest of this version raises the one error."""
    with pytest.raises(InvalidManifestError):
        Manifest.decode(data)


@pytest.mark.parametrize("value", ["1000", True, None, 1.5, []])
def test_a_row_with_a_wrong_type_is_refused(value: object) -> None:
    """A size that is no integer is refused, not summed."""
    row = {**json.loads(sample_rows(1)[0].encode()), "size": value}

    with pytest.raises(InvalidManifestError, match="size"):
        Manifest.decode(changed(instances=[row], count=1, bytes=value))


def test_fields_of_later_releases_are_ignored() -> None:
    """Versions only ever add fields: an older reader passes over them."""
    manifest = sample_manifest()
    document = json.loads(manifest.encode())
    document["colour"] = "blue"
    document["instances"][0]["flavour"] = {"nested": 1}

    assert manifest == Manifest.decode(json.dumps(document).encode())


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("manifest-v*.json")), ids=lambda p: p.stem)
def test_stored_samples_are_read(path: Path) -> None:
    """Manifests that a release has written are read for ever: batches/ never expires."""
    manifest = Manifest.decode(path.read_bytes())

    assert 2 == len(manifest.rows)
    assert "2.25.10001.1" == manifest.rows[0].sop_instance_uid
    assert Sealer.WORKER is manifest.sealed_by
    assert manifest.encode() == path.read_bytes()


def test_there_is_a_sample_of_every_version() -> None:
    """The sample of version 1 exists, so the test above is not empty."""
    assert ["manifest-v1.json"] == [path.name for path in SAMPLES.iterdir()]
