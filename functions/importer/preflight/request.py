"""What CloudFormation asks of a custom resource (CloudFormation user guide, "Custom resource request objects")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_NO_ID = "storescp-preflight"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Where the stack is, as its ARN says: no call is needed to know it.

    Attributes:
        arn: The stack's id.
        partition: "aws" in all five Regions.
        region: Region of the stack.
        account: Account of the stack, 12 digits.
    """

    arn: str
    partition: str = ""
    region: str = ""
    account: str = ""

    @classmethod
    def of(cls, arn: str) -> Stack:
        """Take `arn:<partition>:cloudformation:<region>:<account>:stack/<name>/<guid>` apart."""
        parts = arn.split(":", 5)
        if len(parts) < 6:  # noqa: PLR2004 - the parts of an ARN
            return cls(arn=arn)
        return cls(arn=arn, partition=parts[1], region=parts[3], account=parts[4])


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request.

    Attributes:
        kind: Create, Update or Delete.
        resource_type: `Custom::...`.
        response_url: Where the answer is PUT, signed.
        request_id: Echoed.
        logical_id: Echoed.
        physical_id: The resource's name; stays the same for as long as the stack lives, since another one
            would make CloudFormation delete "the old one".
        stack: Of the resource.
        properties: As the template says, every value a string or a list of strings.
        previous: The properties before an Update, else empty.
    """

    kind: str
    resource_type: str
    response_url: str
    request_id: str
    logical_id: str
    physical_id: str
    stack: Stack
    properties: Mapping[str, Any]
    previous: Mapping[str, Any]

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Request:
        """Read an event; whatever is missing is empty, for even then an answer is owed.

        Raises:
            KeyError: There is no URL to answer to.
        """
        stack = Stack.of(str(event.get("StackId", "")))
        return cls(
            kind=str(event.get("RequestType", "")),
            resource_type=str(event.get("ResourceType", "")),
            response_url=str(event["ResponseURL"]),
            request_id=str(event.get("RequestId", "")),
            logical_id=str(event.get("LogicalResourceId", "")),
            physical_id=str(event.get("PhysicalResourceId") or _name_of(stack)),
            stack=stack,
            properties=_mapping(event.get("ResourceProperties")),
            previous=_mapping(event.get("OldResourceProperties")),
        )


def _name_of(stack: Stack) -> str:
    guid = stack.arn.rpartition("/")[2]
    return f"{_NO_ID}-{guid}" if guid else _NO_ID


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
