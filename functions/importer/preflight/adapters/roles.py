"""Service-linked roles, from IAM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from importer.adapters.clients import error_code
from importer.preflight.facts import RoleState

_ABSENT = "NoSuchEntity"
_MADE_BY_ANOTHER = ("InvalidInput", "EntityAlreadyExists")
"""Somebody made it since it was looked for: its name has been taken."""
_PASSING = frozenset({"ConcurrentModification", "ServiceFailure", "Throttling"})
_WAITS_S = (0.5, 1.0, 2.0)


class IamRoles:
    """`ports.RoleSource`."""

    def __init__(self, iam: Any, sleep: Callable[[float], None]) -> None:
        self._iam = iam
        self._sleep = sleep

    def ensure(self, service: str, role: str) -> RoleState:
        """Make the role unless it is there, and wait until it can be seen.

        Raises:
            botocore.exceptions.ClientError: It cannot be told whether it is there.
        """
        if self._is_there(role):
            return RoleState(service, role)
        error = self._make(service)
        if error:
            return RoleState(service, role, error=error)
        for wait in _WAITS_S:
            if self._is_there(role):
                break
            self._sleep(wait)
        return RoleState(service, role, made=True)

    def _is_there(self, role: str) -> bool:
        try:
            self._iam.get_role(RoleName=role)
        except Exception as error:
            if error_code(error) == _ABSENT:
                return False
            raise
        return True

    def _make(self, service: str) -> str:
        """Make the role of a service; return AWS's code of why it could not, else nothing."""
        code = ""
        for wait in (*_WAITS_S, None):
            try:
                self._iam.create_service_linked_role(AWSServiceName=service)
            except Exception as error:
                code = error_code(error)
                if code in _MADE_BY_ANOTHER:
                    return ""
                if not code:
                    raise
            else:
                return ""
            if code not in _PASSING or wait is None:
                break
            self._sleep(wait)
        return code
