"""Stacks, from CloudFormation."""

from __future__ import annotations

from typing import Any


class CloudFormationStacks:
    """`ports.StackSource`."""

    def __init__(self, cloudformation: Any) -> None:
        self._cloudformation = cloudformation

    def status(self, stack_arn: str) -> str:
        """Return the stack's status."""
        [stack] = self._cloudformation.describe_stacks(StackName=stack_arn)["Stacks"]
        return str(stack["StackStatus"])
