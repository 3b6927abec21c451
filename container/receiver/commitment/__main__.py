"""`python -m receiver.commitment LISTENER CONTROL`: the committer, started by the receiver's parent.

The arguments are descriptors: of the Unix socket on which workers ask, and of a socket whose end says that
the parent stops or is gone.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
import threading
import time
import warnings
from pathlib import Path
from urllib.parse import unquote, urlsplit

from receiver.commitment.courier import Courier
from receiver.commitment.directory import DirectoryArchive, DirectoryRegistry
from receiver.commitment.engine import Engine
from receiver.commitment.figures import Figures
from receiver.commitment.intake import Intake
from receiver.commitment.ports import Archive, Registry
from receiver.commitment.report import take_any_uid
from receiver.logs import JsonLog, install_exception_hooks, log_exception
from receiver.settings import Settings

EXIT_FAILED = 1
KEEP_SHARE = 0.8
"""Of the time that a worker waits for a request to be kept: the rest is for the way."""


def main() -> int:
    """Run until the parent stops; return the exit code."""
    # Ctrl-C reaches the whole group; only the parent decides when this ends.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    warnings.simplefilter("ignore")  # stderr is the log, and they may quote what a device sent
    listener, control = (socket.socket(fileno=int(text)) for text in sys.argv[1:3])
    take_any_uid()
    settings = Settings.from_env(os.environ)
    log = JsonLog(settings.log_level, part="committer")
    install_exception_hooks(log)
    try:
        _run(settings, listener, control, log)
    except Exception as error:  # noqa: BLE001 - the edge: the parent starts another
        log_exception(log, "committer_failed", error)
        return EXIT_FAILED
    finally:
        log.close()
    return 0


def _run(settings: Settings, listener: socket.socket, control: socket.socket, log: JsonLog) -> None:
    archive, registry = _places(settings)
    courier = Courier(settings, log)
    engine = Engine(archive, registry, courier, settings=settings, figures=Figures(), log=log)
    intake = Intake(archive, engine.accept, keep_s=settings.store_deadline_s * KEEP_SHARE, log=log)
    threading.Thread(target=intake.serve, args=(listener,), name="accept", daemon=True).start()
    threading.Thread(target=_await_end, args=(control, engine), name="control", daemon=True).start()
    log.info("committer_ready", when=settings.commitment_when, peers=len(settings.commitment_peers))
    try:
        engine.run()
    finally:
        courier.close()


def _places(settings: Settings) -> tuple[Archive, Registry]:
    url = urlsplit(settings.landing_url)
    if url.scheme == "file":
        root = Path(unquote(url.path))
        archive = DirectoryArchive(root)
        return archive, DirectoryRegistry(root, archive)
    # Only here: botocore costs 20 MiB, and file:// does not need it.
    from receiver.commitment.registry import LedgerRegistry  # noqa: PLC0415 - see above
    from receiver.commitment.s3 import S3Archive, make_client  # noqa: PLC0415 - see above
    from receiver.sinks.s3 import make_s3_sink  # noqa: PLC0415 - see above

    bucket = S3Archive(
        make_s3_sink(url.netloc, os.environ), url.netloc, make_client("s3", os.environ)
    )
    return bucket, LedgerRegistry(
        make_client("dynamodb", os.environ),
        settings.ledger_table,
        bucket,
        secrets.token_hex(8),
        time.time,
    )


def _await_end(control: socket.socket, engine: Engine) -> None:
    while control.recv(1):
        pass
    engine.stop()


if __name__ == "__main__":
    # At once: pynetdicom's threads are no daemons, and a device may be slow to let go.
    code = main()
    sys.stdout.flush()
    os._exit(code)
