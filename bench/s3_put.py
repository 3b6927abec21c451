"""CPU time to make one 512 KiB instance durable in S3: our sink against boto3's put_object.

Both talk to the same null server in a process of its own: it reads a request, keeps nothing and confirms
the checksum, so what is measured is the client. `python bench/s3_put.py` prints a table; `run` returns
its rows for `make bench`.

boto3 is measured twice: as it comes (it computes a CRC32 and, over plain HTTP, signs a SHA-256 of the
payload) and at its best (our checksum given, payload not signed, create-only), which is the same request
as ours.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

import boto3
from awscrt.checksums import crc64nvme
from botocore.config import Config

from receiver.filemeta import file_meta
from receiver.records import encode_crc64nvme
from receiver.sinks.s3 import make_s3_sink

INSTANCE_BYTES = 512 * 1024
PUTS = 300
ROUNDS = 5
BLOCK_BYTES = 256 * 1024

_ECHO = b"x-amz-checksum-crc64nvme:"


def run() -> list[dict[str, Any]]:
    """Measure; rows of name, value, unit, peer, ratio (ours to the peer's; below 1 is better)."""
    parent, child = multiprocessing.Pipe()
    server = multiprocessing.get_context("fork").Process(target=_serve, args=(child,), daemon=True)
    server.start()
    try:
        endpoint = f"http://127.0.0.1:{parent.recv()}"
        return _rows(endpoint)
    finally:
        server.terminate()
        server.join()


def _rows(endpoint: str) -> list[dict[str, Any]]:
    candidates = {
        "receiver's S3 sink": _ours(endpoint),
        "boto3 put_object": _boto3(endpoint, at_its_best=False),
        "boto3 put_object, same request": _boto3(endpoint, at_its_best=True),
    }
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for put in candidates.values():
        put()  # connections, imports, credentials
    for _ in range(ROUNDS):  # taken in turn: what else the machine does meets all of them
        for name, put in candidates.items():
            started = time.process_time()
            for _ in range(PUTS):
                put()
            times[name].append((time.process_time() - started) / PUTS * 1000)
    ours = median(times["receiver's S3 sink"])
    return [
        {
            "name": f"CPU per {INSTANCE_BYTES // 1024} KiB PUT, {name}",
            "value": round(median(values), 3),
            "unit": "ms",
            "peer": name,
            "ratio": round(ours / median(values), 3),
        }
        for name, values in times.items()
    ]


def _blocks() -> list[memoryview]:
    meta = file_meta(
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        sop_instance_uid="1.2.3",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
    )
    data = memoryview(meta + os.urandom(INSTANCE_BYTES))
    return [data[start : start + BLOCK_BYTES] for start in range(0, len(data), BLOCK_BYTES)]


def _ours(endpoint: str) -> Callable[[], None]:
    os.environ |= {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}
    sink = make_s3_sink("bucket", {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1"})
    blocks = _blocks()
    size = sum(len(block) for block in blocks)
    metadata = {"sop-instance-uid": "1.2.3", "sop-class-uid": "1.2.840.10008.5.1.4.1.1.2"}

    def put() -> None:
        crc = 0
        for block in blocks:  # as it is computed on receive: part of the price
            crc = crc64nvme(block, crc)
        deadline = time.monotonic() + 25
        sink.put("key", blocks, size=size, crc64nvme=crc, metadata=metadata, deadline=deadline)

    return put


def _boto3(endpoint: str, *, at_its_best: bool) -> Callable[[], None]:
    config = Config(retries={"max_attempts": 1}, s3={"payload_signing_enabled": not at_its_best})
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", config=config)
    body = b"".join(_blocks())

    def put() -> None:
        extra: dict[str, str] = {}
        if at_its_best:
            extra = {"ChecksumCRC64NVME": encode_crc64nvme(crc64nvme(body)), "IfNoneMatch": "*"}
        client.put_object(Bucket="bucket", Key="key", Body=body, **extra)

    return put


def _serve(pipe: Connection) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    pipe.send(listener.getsockname()[1])
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    buffer = memoryview(bytearray(1 << 20))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while count := connection.recv_into(buffer):
        received = bytes(buffer[:count])
        while b"\r\n\r\n" not in received:
            received += connection.recv(65536)
        head, _, rest = received.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")[1:]
        fields = {
            name.lower(): value.strip() for name, _, value in (x.partition(b":") for x in lines)
        }
        if fields.get(b"expect"):
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        left = int(fields[b"content-length"]) - len(rest)
        while left > 0:
            left -= connection.recv_into(buffer[: min(left, len(buffer))])
        echo = fields.get(b"x-amz-checksum-crc64nvme")
        confirmed = _ECHO + b" " + echo + b"\r\n" if echo else b""
        connection.sendall(
            b'HTTP/1.1 200 OK\r\netag: "0"\r\ncontent-length: 0\r\n' + confirmed + b"\r\n"
        )


def main() -> None:
    """Print the table."""
    for row in run():
        print(f"{row['name']:60} {row['value']:8.3f} {row['unit']}   ratio {row['ratio']:.3f}")


if __name__ == "__main__":
    main()
