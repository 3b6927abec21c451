"""Certificates, from ACM."""

from __future__ import annotations

from typing import Any

from importer.adapters.clients import error_code
from importer.preflight.facts import Certificate


class AcmCertificates:
    """`ports.CertificateSource`."""

    def __init__(self, acm: Any) -> None:
        self._acm = acm

    def certificate(self, arn: str) -> Certificate | None:
        """Return a certificate, None if there is none of that ARN."""
        try:
            found = self._acm.describe_certificate(CertificateArn=arn)["Certificate"]
        except Exception as error:
            if error_code(error) == "ResourceNotFoundException":
                return None
            raise
        return Certificate(
            status=found["Status"],
            # describe-certificate writes RSA_2048 of an issued, RSA-2048 of an imported certificate.
            key_algorithm=found.get("KeyAlgorithm", "").replace("-", "_"),
            not_after=found.get("NotAfter"),
            renews=found.get("RenewalEligibility") == "ELIGIBLE",
        )
