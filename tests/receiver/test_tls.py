"""TLS in the receiver, against other people's TLS: DCMTK, pynetdicom, `openssl s_client`, Python's ssl."""

from __future__ import annotations

import json
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pydicom.data
import pytest
from pynetdicom import AE

from receiver.settings import Settings
from template_gen.bindings import RECEIVER_SECRETS
from tests.builders import make_instance
from tests.certificates import Authority, Hospital, client_context, make_hospital
from tests.clients import run_client, storescu
from tests.deadline import wait_until
from tests.landed import Landed
from tests.processes import MIB
from tests.raw_scu import SUCCESS, AbortedError, RawAssociation, RejectedError
from tests.receiver.test_proxy import header
from tests.receiver_process import ROOT, ReceiverProcess, environment_for, running_receiver

Start = Callable[..., ReceiverProcess]
CT_FILE = Path(pydicom.data.__file__).parent / "test_files" / "CT_small.dcm"
VERIFICATION = "1.2.840.10008.1.1"
STALLED = 50
CUT_S = 30.0
HANDSHAKE_S = 15.0
"""Five at most and some milliseconds on an idle machine. Where one stalled handshake holds the next, fifty of
them take minutes."""
BEGINNING = bytes.fromhex("16030100c8010000c40303")
"""Of a ClientHello, whose rest never comes."""


@pytest.fixture(scope="module")
def hospital() -> Hospital:
    return make_hospital()


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Landed:
    return Landed(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def receiver(hospital: Hospital, landed: Landed) -> Iterator[ReceiverProcess]:
    """Lend one receiver to all tests that need no settings of their own."""
    settings = {"LOG_LEVEL": "DEBUG", "BATCH_IDLE": "1", **hospital.settings}
    with running_receiver(landed.root, **settings) as running:
        yield running


@pytest.fixture(scope="module")
def binding(
    hospital: Hospital, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ReceiverProcess]:
    """Lend one that holds calling AE titles against certificates."""
    settings = {"BIND_AE_TITLE_TO_CERTIFICATE": "true", **hospital.settings}
    with running_receiver(tmp_path_factory.mktemp("bound"), **settings) as running:
        yield running


@pytest.fixture
def device(hospital: Hospital) -> ssl.SSLContext:
    """The context of an honest device."""
    return client_context(hospital.authority, hospital.device)


def s_client(port: int, hospital: Hospital, directory: Path, *options: str) -> str:
    """Connect with `openssl s_client` as the honest device; return what it printed."""
    key, certificate = hospital.device.write(directory, "device")
    ca = directory / "ca.crt"
    ca.write_text(hospital.authority.certificate)
    done = subprocess.run(
        [
            *("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-state"),
            *("-CAfile", str(ca), "-cert", str(certificate), "-key", str(key), *options),
        ],
        input="Q\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("options", "agreed"),
    [
        (("-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"), "TLS_AES_128_GCM_SHA256"),
        (("-tls1_3",), "TLS_AES_256_GCM_SHA384"),
        (("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"), "ECDHE-RSA-AES128-GCM-SHA256"),
        (("-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384"), "ECDHE-RSA-AES256-GCM-SHA384"),
        (("-tls1_2", "-cipher", "AES128-GCM-SHA256"), None),
        (("-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA256"), None),
        (("-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"), None),
        (("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), None),
        (("-tls1", "-cipher", "ALL:@SECLEVEL=0"), None),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, tuple) else "",
)
def test_versions_and_ciphers_are_those_of_bcp_195(
    receiver: ReceiverProcess,
    hospital: Hospital,
    tmp_path: Path,
    options: tuple[str, ...],
    agreed: str | None,
) -> None:
    """TLS 1.2 by ECDHE and AES-GCM, 1.3; without forward secrecy or AEAD, or older: an alert."""
    said = s_client(receiver.port, hospital, tmp_path, *options)

    if agreed is None:
        assert re.search(r"alert (handshake failure|protocol version)|no protocols available", said)
        assert "Cipher is (NONE)" in said
    else:
        assert f"Cipher is {agreed}" in said
        assert "Verify return code: 0" in said
        assert "Secure Renegotiation IS supported" in said or "TLSv1.3" in said


def test_dcmtk_stores_over_mutual_tls(
    binding: ReceiverProcess, hospital: Hospital, tmp_path: Path
) -> None:
    """By `storescu +tls` and its default profile; the audit trail says who it proved to be, and by what."""
    key, certificate = hospital.device.write(tmp_path, "device")
    (tmp_path / "ca.crt").write_text(hospital.authority.certificate)
    tls = ("+tls", str(key), str(certificate), "+cf", str(tmp_path / "ca.crt"))

    outcome = run_client(
        "storescu", "-v", "-aet", "TEST", *tls, "127.0.0.1", str(binding.port), CT_FILE
    )

    assert outcome.code == 0, outcome.output
    assert "Status: 0x0000" in outcome.output or "Success" in outcome.output
    accepted = binding.wait_event("association_accepted")
    assert accepted["certificate"] == "TEST"
    assert accepted["tls"].startswith(("TLSv1.2 ECDHE", "TLSv1.3 TLS_AES"))
    closed = binding.wait_event("association_closed")
    assert (closed["outcome"], closed["stored"]) == ("released", 1)


def test_dcmtk_without_a_certificate_stores_nothing(
    receiver: ReceiverProcess, hospital: Hospital, tmp_path: Path
) -> None:
    """Anonymous TLS is refused, plain TCP too; the sender's exit code says so."""
    (tmp_path / "ca.crt").write_text(hospital.authority.certificate)

    for options in (("+tla", "+cf", str(tmp_path / "ca.crt")), ()):
        assert storescu(receiver.port, CT_FILE.parent / "CT_small.dcm", options=options).code != 0


def test_pynetdicom_speaks_tls(receiver: ReceiverProcess, device: ssl.SSLContext) -> None:
    """Its SCU gets its answer and its release."""
    entity = AE("TEST")
    entity.add_requested_context(VERIFICATION)
    association = entity.associate("127.0.0.1", receiver.port, tls_args=(device, "storescp"))

    assert association.is_established
    assert association.send_c_echo().Status == 0
    association.release()
    assert association.is_released


@pytest.mark.parametrize("window", [None, 8])
def test_large_instances_arrive_unchanged(
    receiver: ReceiverProcess, landed: Landed, device: ssl.SSLContext, window: int | None
) -> None:
    """One at a time, and with a window: other threads answer while one receives."""
    instances = [make_instance(size=size) for size in (20 * MIB, *[300_000] * 20)]

    with RawAssociation(receiver.port, window=window, tls=device) as association:
        assert set(association.store_all(instances)) == {SUCCESS}

    assert len(association.acks.digests) == len(instances)
    wait_until(lambda: association.acks.digests <= landed.digests(), "all landed as sent")


def test_proxy_header_comes_before_the_handshake(
    start_receiver: Start, hospital: Hospital, device: ssl.SSLContext
) -> None:
    """As the load balancer puts it there; the log has the sender's address, of failures too."""
    receiver = start_receiver(PROXY_PROTOCOL="true", **hospital.settings)

    with RawAssociation(receiver.port, prefix=header("203.0.113.9"), tls=device):
        assert receiver.wait_event("association_accepted")["peer"] == "203.0.113.9"
    with socket.create_connection(("127.0.0.1", receiver.port), 30) as plain:
        plain.sendall(header("203.0.113.10") + b"\x01\x00\x00\x00\x00\x04\x00\x00\x00\x00")
        assert plain.recv(100) == b""
    cut = receiver.wait_event("connection_cut")
    assert (cut["peer"], cut["reason"]) == ("203.0.113.10", "tls_plaintext")


def test_stalled_handshakes_hold_nobody(
    start_receiver: Start, hospital: Hospital, device: ssl.SSLContext
) -> None:
    """Fifty that stop within the ClientHello and fifty that say nothing: cut, and others go on meanwhile."""
    receiver = start_receiver(**hospital.settings)
    with ExitStack() as stack:
        stalled = [
            stack.enter_context(socket.create_connection(("127.0.0.1", receiver.port), 60))
            for _ in range(2 * STALLED)
        ]
        began = time.monotonic()
        for one in stalled[:STALLED]:
            one.sendall(BEGINNING)
        worst_s = 0.0
        for _ in range(STALLED):
            opened = time.monotonic()
            with RawAssociation(receiver.port, tls=device) as association:
                worst_s = max(worst_s, time.monotonic() - opened)
                assert association.store(make_instance(size=10_000)) == SUCCESS
        for one in stalled:
            assert one.recv(100) == b""
        assert time.monotonic() - began < CUT_S
        assert worst_s < HANDSHAKE_S

    wanted = {"tls_stall": STALLED, "conn_idle": STALLED}
    wait_until(lambda: receiver.get("/status")[1]["reasons"] == wanted, "all counted")
    assert receiver.get("/status")[1]["counters"]["tls_handshakes_failed"] == STALLED


def test_calling_title_must_be_the_certificates(
    binding: ReceiverProcess, hospital: Hospital, device: ssl.SSLContext
) -> None:
    """If configured: a common name of the certificate, letter by letter; several names are several titles."""
    two = client_context(hospital.authority, hospital.authority.issue("CT 1", "MR_1"))

    for context, calling in ((device, "TEST"), (two, "CT 1"), (two, "MR_1")):
        with RawAssociation(binding.port, calling=calling, tls=context):
            pass
    for context, calling in ((device, "test"), (device, "MR_1"), (two, "TEST")):
        with pytest.raises(RejectedError) as rejected:
            RawAssociation(binding.port, calling=calling, tls=context)
        assert rejected.value.reason == (1, 1, 3)
    assert binding.get("/status")[1]["reasons"] == {"aet_certificate": 3}


def test_title_is_free_unless_bound(receiver: ReceiverProcess, device: ssl.SSLContext) -> None:
    """One certificate for all devices of a hospital is a usual thing."""
    with RawAssociation(receiver.port, calling="ANYBODY", tls=device) as association:
        assert association.store(make_instance(size=1000)) == SUCCESS


def test_devices_own_certificate_can_be_trusted_by_itself(
    start_receiver: Start, hospital: Hospital
) -> None:
    """Many devices make their own; listed beside a CA, exactly this one is admitted."""
    elsewhere = Authority("Vendor")
    listed, other = elsewhere.issue("CT1"), elsewhere.issue("CT2")
    settings = hospital.settings
    settings["TLS_CLIENT_CA"] += listed.certificate
    receiver = start_receiver(**settings)

    with RawAssociation(
        receiver.port, tls=client_context(hospital.authority, listed)
    ) as association:
        assert association.store(make_instance(size=1000)) == SUCCESS
    with pytest.raises((ssl.SSLError, ConnectionError)):
        RawAssociation(receiver.port, tls=client_context(hospital.authority, other))
    assert receiver.wait_event("connection_cut")["reason"] == "tls_unknown_ca"


def test_drain_ends_idle_tls_associations_with_an_abort(
    start_receiver: Start, hospital: Hospital, device: ssl.SSLContext
) -> None:
    """The watchdog's shutdown wakes a thread that waits within TLS, and the A-ABORT is still encrypted."""
    receiver = start_receiver(STOP_TIMEOUT=8, **hospital.settings)
    association = RawAssociation(receiver.port, tls=device)
    assert association.store(make_instance(size=1000)) == SUCCESS

    receiver.terminate()

    with pytest.raises(AbortedError):
        association.read_response()
    association.close()
    assert receiver.wait() == 0


def test_keys_are_in_no_output_and_no_argument(
    receiver: ReceiverProcess, hospital: Hospital
) -> None:
    """Whatever was logged so far at the finest level, and what every user of the machine may read."""
    body = hospital.receiver.key.splitlines()[1]
    log = "\n".join([*map(json.dumps, receiver.all_events()), *receiver.noise])
    arguments = [Path(f"/proc/{pid}/cmdline").read_bytes().decode() for pid in receiver.pids]

    assert receiver.events("connection_cut")
    assert body not in log
    assert "PRIVATE KEY" not in log
    assert not any("KEY" in argument for argument in arguments)


def test_settings_that_cannot_work_stop_the_receiver(hospital: Hospital, tmp_path: Path) -> None:
    """The parent gives up, the log says why."""
    settings = hospital.settings | {"TLS_PRIVATE_KEY": hospital.authority.issue("x").key}

    with pytest.raises(AssertionError, match=r"exit 1 .*TLS_PRIVATE_KEY is not the key of"):
        ReceiverProcess(environment_for(tmp_path, **settings))


def test_documented_commands_make_what_the_receiver_takes(
    start_receiver: Start, tmp_path: Path
) -> None:
    """Both languages have the same ones; the secret's JSON has the keys that the template reads."""
    english, japanese = (
        re.search(r"<!-- begin: commands -->\n```sh run\n(.*?)```", page.read_text(), re.DOTALL)
        for page in (ROOT / "docs" / "tls.md", ROOT / "docs" / "tls.ja.md")
    )
    assert english is not None
    assert japanese is not None
    assert english[1] == japanese[1]
    script = ["bash", "-euc", english[1]]
    subprocess.run(script, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    secret = json.loads((tmp_path / "tls.json").read_text())
    specs = Settings.specs()
    environment = {specs[name].env: secret[key] for name, key in RECEIVER_SECRETS.items()}

    receiver = start_receiver(BIND_AE_TITLE_TO_CERTIFICATE="true", **environment)
    device = ssl.create_default_context(cafile=tmp_path / "ca.crt")
    device.load_cert_chain(tmp_path / "CT01.crt", tmp_path / "CT01.key")
    with socket.create_connection(("127.0.0.1", receiver.port), 30) as plain:
        device.wrap_socket(plain, server_hostname="storescp.hospital.example").close()
    device.check_hostname = False

    with RawAssociation(receiver.port, calling="CT01", tls=device) as association:
        assert association.store(make_instance(size=1000)) == SUCCESS
    with pytest.raises(RejectedError):
        RawAssociation(receiver.port, calling="MR01", tls=device)
