from __future__ import annotations

import pytest

from local.s3 import checksums


def test_chunks_and_trailers_are_taken_apart() -> None:
    """The aws-chunked encoding leaves the content and its trailing checksum."""
    body = (
        b"5;chunk-signature=ab\r\nhello\r\n3\r\n wo\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    )

    assert checksums.decode_chunked(body) == (b"hello wo", {"x-amz-checksum-crc32": "AAAAAA=="})


def test_broken_chunks_are_refused() -> None:
    """A body that is not aws-chunked raises ValueError."""
    with pytest.raises(ValueError, match="invalid literal"):
        checksums.decode_chunked(b"hello\r\n")


def test_parts_combine_to_the_whole() -> None:
    """CRC64NVME of parts, combined, is that of their concatenation."""
    parts = [b"a" * 1000, b"b", b""]
    combined = checksums.combine([(checksums.compute("crc64nvme", p), len(p)) for p in parts])

    assert combined == checksums.compute("crc64nvme", b"".join(parts))


def test_check_values_of_the_algorithms() -> None:
    """The published check values of `123456789` are met."""
    checks = {"crc64nvme": "rosUhgp5mIg=", "crc32": "y/Q5Jg==", "crc32c": "4waSgw=="}

    assert {name: checksums.compute(name, b"123456789") for name in checks} == checks
