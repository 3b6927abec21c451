"""Keys, from KMS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from importer.adapters.clients import error_code
from importer.preflight.facts import Key


class KmsKeys:
    """`ports.KeySource`."""

    def __init__(self, kms: Any) -> None:
        self._kms = kms

    def key(self, arn: str) -> Key | None:
        """Return a key, None if there is none of that ARN."""
        try:
            found = self._kms.describe_key(KeyId=arn)["KeyMetadata"]
        except Exception as error:
            if error_code(error) == "NotFoundException":
                return None
            raise
        spec = found.get("KeySpec") or found.get("CustomerMasterKeySpec", "")
        return Key(
            state=found["KeyState"],
            symmetric=spec == "SYMMETRIC_DEFAULT" and found.get("KeyUsage") == "ENCRYPT_DECRYPT",
            policy=self._policy(found),
        )

    def _policy(self, found: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the key's policy, None of a key of another account, who alone may read it."""
        try:
            answer = self._kms.get_key_policy(KeyId=found["KeyId"], PolicyName="default")
        except Exception as error:
            if error_code(error) == "NotFoundException":
                return None
            raise
        policy = json.loads(answer["Policy"])
        return policy if isinstance(policy, Mapping) else None
