"""What a stack says of itself once it is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import WaiterError

POLL_S = 3
CREATION_S = 3_600
"""A network, a load balancer and a service that becomes steady: ten minutes are usual."""


class DeployedError(Exception):
    """The stack is not as it must be; the message says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A stack that is complete."""

    outputs: Mapping[str, str]
    parameters: Mapping[str, str]

    def output(self, name: str) -> str:
        """Return an output.

        Raises:
            DeployedError: The stack has no such output.
        """
        if name not in self.outputs:
            raise DeployedError(f"the stack has no output {name}")
        return self.outputs[name]


def await_stack(cloudformation: Any, name: str) -> Deployed:
    """Wait until a stack is made.

    Raises:
        DeployedError: It is not made, and why.
    """
    waiter = cloudformation.get_waiter("stack_create_complete")
    try:
        waiter.wait(
            StackName=name, WaiterConfig={"Delay": POLL_S, "MaxAttempts": CREATION_S // POLL_S}
        )
    except WaiterError as error:
        reasons = _reasons(cloudformation, name)
        raise DeployedError(f"the stack was not made: {reasons or error}") from None
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    return Deployed(
        outputs={item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", ())},
        parameters={
            item["ParameterKey"]: str(item.get("ParameterValue", ""))
            for item in stack.get("Parameters", ())
        },
    )


def _reasons(cloudformation: Any, name: str) -> str:
    try:
        events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    except cloudformation.exceptions.ClientError:
        return ""
    return "; ".join(
        f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
        for event in events
        if event["ResourceStatus"].endswith("_FAILED") and "ResourceStatusReason" in event
    )
