"""Quotas, from Service Quotas."""

from __future__ import annotations

from typing import Any

from importer.adapters.clients import error_code
from importer.preflight.facts import Quota

_UNKNOWN = "NoSuchResourceException"


class ServiceQuotas:
    """`ports.QuotaSource`."""

    def __init__(self, service_quotas: Any) -> None:
        self._service_quotas = service_quotas

    def value(self, quota: Quota) -> float | None:
        """Return a quota's value: applied, else the default, else None."""
        for ask in (
            self._service_quotas.get_service_quota,
            self._service_quotas.get_aws_default_service_quota,
        ):
            try:
                found = ask(ServiceCode=quota.service, QuotaCode=quota.code)
            except Exception as error:
                if error_code(error) == _UNKNOWN:
                    continue
                raise
            return float(found["Quota"]["Value"])
        return None
