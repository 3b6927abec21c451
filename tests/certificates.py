"""Certificates made when a test needs them: an authority, what it issues, and what nobody should accept."""

from __future__ import annotations

import datetime as dt
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = dt.timedelta(days=1)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key, PEM."""

    certificate: str
    key: str

    def write(self, directory: Path, name: str) -> tuple[Path, Path]:
        """Write both into files for a client that takes no other form; return key and certificate."""
        key, certificate = directory / f"{name}.key", directory / f"{name}.crt"
        key.write_text(self.key)
        certificate.write_text(self.certificate)
        return key, certificate


class Authority:
    """A certificate authority."""

    def __init__(self, name: str = "Hospital CA") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = dt.datetime.now(dt.UTC)
        certificate = (
            _unsigned(self._name, self._name, self._key, now - _DAY, now + 30 * _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = _pem(certificate)

    def issue(
        self,
        *common_names: str,
        days: tuple[int, int] = (-1, 30),
        for_servers: bool = False,
        rsa_bits: int = 0,
    ) -> Identity:
        """Issue a certificate for one or several common names.

        Args:
            common_names: Of the subject.
            days: From and until when it is valid, from today.
            for_servers: For the server's end of a connection only; else for the client's only.
            rsa_bits: Of an RSA key; 0 for one on the curve P-256.
        """
        key: Key = ec.generate_private_key(ec.SECP256R1())
        if rsa_bits:
            key = rsa.generate_private_key(65_537, rsa_bits)
        subject = x509.Name(
            [x509.NameAttribute(NameOID.COMMON_NAME, name) for name in common_names]
        )
        now = dt.datetime.now(dt.UTC)
        usage = ExtendedKeyUsageOID.SERVER_AUTH if for_servers else ExtendedKeyUsageOID.CLIENT_AUTH
        certificate = (
            _unsigned(subject, self._name, key, now + days[0] * _DAY, now + days[1] * _DAY)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return Identity(_pem(certificate), private)


@dataclass(frozen=True, slots=True)
class Hospital:
    """A receiver's certificate, its clients' authority, and a client that it accepts."""

    authority: Authority
    receiver: Identity
    device: Identity

    @property
    def settings(self) -> dict[str, str]:
        """Environment of a receiver that uses them."""
        return {
            "TLS_CERTIFICATE": self.receiver.certificate,
            "TLS_PRIVATE_KEY": self.receiver.key,
            "TLS_CLIENT_CA": self.authority.certificate,
        }


def make_hospital(device: str = "TEST") -> Hospital:
    """Make everything that a receiver and one device with this common name need."""
    authority = Authority()
    receiver = authority.issue("storescp.hospital.example", for_servers=True, rsa_bits=2048)
    return Hospital(authority, receiver, authority.issue(device))


def client_context(trusted: Authority, identity: Identity | None = None) -> ssl.SSLContext:
    """Return a client's context: whom it trusts and who it is.

    Args:
        trusted: Issuer of the receiver's certificate.
        identity: The client's own; None for a client without a certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # peers are addresses here
    context.load_verify_locations(cadata=trusted.certificate)
    if identity is not None:
        with tempfile.TemporaryDirectory() as name:
            key, certificate = identity.write(Path(name), "client")
            context.load_cert_chain(certificate, key)
    return context


def _unsigned(
    subject: x509.Name,
    issuer: x509.Name,
    key: Key,
    begins: dt.datetime,
    ends: dt.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()
