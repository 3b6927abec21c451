"""A Store SCP as one writes it with bare pynetdicom: run as a process, its options as JSON in argv[1]."""

from __future__ import annotations

import json
import signal
import ssl
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom import AE, _config, evt
from pynetdicom.sop_class import CTImageStorage, Verification  # type: ignore[attr-defined]  # made at import


@dataclass(frozen=True, slots=True, kw_only=True)
class BareOptions:
    """What a probe wants of the SCP; the defaults are pynetdicom's.

    Attributes:
        maximum_associations: At once.
        acse_timeout: ARTIM, in seconds.
        network_timeout: Of an idle association, in seconds.
        unrestricted: Take any SOP class.
        chunked: Have data sets written to files as they come.
        handler_s: What the C-STORE handler takes.
        decode: The handler looks at every element.
        directory: The handler writes the data set to a file there; nowhere if empty.
        certificate: PEM file with key for TLS; none if empty.
    """

    maximum_associations: int = 10
    acse_timeout: float = 30
    network_timeout: float = 60
    unrestricted: bool = False
    chunked: bool = False
    handler_s: float = 0
    decode: bool = False
    directory: str = ""
    certificate: str = ""


def handle_store(event: evt.Event, options: BareOptions) -> int:
    """Do what the options say and answer Success."""
    time.sleep(options.handler_s)
    if options.decode:
        for element in event.dataset:
            element.value  # noqa: B018 - reading it converts it
    if options.directory:
        uid = str(getattr(event.request, "AffectedSOPInstanceUID", ""))
        Path(options.directory, uid).write_bytes(event.encoded_dataset())
    return 0x0000


def main() -> None:
    """Serve until SIGTERM, then shut down as pynetdicom does."""
    options = BareOptions(**json.loads(sys.argv[1]))
    _config.UNRESTRICTED_STORAGE_SERVICE = options.unrestricted
    _config.STORE_RECV_CHUNKED_DATASET = options.chunked
    ae = AE(ae_title="STORESCP")
    ae.maximum_associations = options.maximum_associations
    ae.acse_timeout = options.acse_timeout
    ae.network_timeout = options.network_timeout
    if not options.unrestricted:
        ae.add_supported_context(
            CTImageStorage,
            [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian],
        )
    ae.add_supported_context(Verification)
    context = None
    if options.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificate)
    server = ae.start_server(
        ("127.0.0.1", 0),
        block=False,
        ssl_context=context,
        evt_handlers=[
            (evt.EVT_C_STORE, handle_store, [options]),
            (evt.EVT_C_ECHO, lambda _event: 0x0000),
        ],
    )
    assert server is not None
    assert server.socket is not None
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    print(json.dumps({"port": server.socket.getsockname()[1]}), flush=True)  # noqa: T201 - for the parent
    stop.wait()
    ae.shutdown()


if __name__ == "__main__":
    main()
