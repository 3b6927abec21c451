"""Two tasks, one archive, one ledger: every request is answered by one of them."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from contract.keys import CommitmentId, CommitmentObject
from local.ports import free_port
from receiver.commitment.action import Reference
from receiver.commitment.courier import Courier
from receiver.commitment.directory import DirectoryArchive
from receiver.commitment.documents import FailureReason, Request
from receiver.commitment.engine import Engine
from receiver.commitment.figures import Figures
from receiver.commitment.registry import LedgerRegistry
from receiver.commitment.s3 import S3Archive
from receiver.logs import JsonLog
from receiver.peers import Peer
from receiver.settings import Settings
from tests.builders import CT_IMAGE, new_uid
from tests.deadline import wait_until
from tests.importer.conftest import Aws
from tests.receiver.commitment.device import Device
from tests.receiver.fake_storage import FakeSink

REQUESTS = 15


def write_request(archive: DirectoryArchive, device: Device) -> Request:
    """Keep a request as a task that died right after it did."""
    request = Request(
        id=CommitmentId.new(time.time()),
        transaction_uid=new_uid(),
        calling_ae_title=device.title,
        called_ae_title="STORESCP",
        peer="127.0.0.1",
        association_id="a",
        requested_at=time.time() - 60,
        references=(Reference(CT_IMAGE, new_uid()),),
    )
    assert archive.write(request.id.key(CommitmentObject.REQUEST), request.encode())
    return request


@pytest.fixture
def settings() -> Settings:
    """Return settings by which what is not known after a minute is not there."""
    return Settings(
        landing_url="s3://landing",
        ledger_table="unused",
        commitment_peers=(Peer("CT1", "127.0.0.1", free_port()),),
        commitment_unknown_after_s=30,
        commitment_retry_s=1,
    )


class AtomicClient:
    """DynamoDB's promise that the emulator's threads break: a conditional write is one step."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def update_item(self, **request: Any) -> Any:
        """Update, alone."""
        with self._lock:
            return self._client.update_item(**request)


def engine_of(
    name: str,
    *,
    ledger: tuple[Any, str],
    bucket: S3Archive,
    archive: DirectoryArchive,
    settings: Settings,
    log: JsonLog,
) -> Engine:
    """Return the engine of a task."""
    registry = LedgerRegistry(*ledger, bucket, name, time.time)
    courier = Courier(settings, log)
    return Engine(archive, registry, courier, settings=settings, figures=Figures(), log=log)


def test_each_request_is_answered_once(aws: Aws, tmp_path: Path, settings: Settings) -> None:
    """Both find all of them at the same moment; the device hears each one once."""
    archive = DirectoryArchive(tmp_path)
    device = Device(settings.commitment_peers[0].port)
    requests = [write_request(archive, device) for _ in range(REQUESTS)]
    with (tmp_path / "log").open("w") as output:
        log = JsonLog("INFO", fd=output.fileno())
        ledger = AtomicClient(aws.client("dynamodb")), aws.table
        bucket = S3Archive(FakeSink(), aws.landing, aws.client("s3"))
        engines = [
            engine_of(
                name, ledger=ledger, bucket=bucket, archive=archive, settings=settings, log=log
            )
            for name in ("one", "two")
        ]
        threads = [threading.Thread(target=engine.run) for engine in engines]
        with device.listening():
            for thread in threads:
                thread.start()
            try:
                wait_until(
                    lambda: all(
                        archive.read(r.id.key(CommitmentObject.DELIVERED)) for r in requests
                    ),
                    "all are answered",
                    within_s=60,
                )
            finally:
                for engine in engines:
                    engine.stop()
                for thread in threads:
                    thread.join(30)
        log.close()

    heard = [report.transaction for report in device.reports]
    assert sorted(heard) == sorted(request.transaction_uid for request in requests)
    reasons = {reason for report in device.reports for reason in report.failed.values()}
    assert reasons == {FailureReason.NO_SUCH_OBJECT_INSTANCE}
