"""Makes the stack's roles: no explicit names, the customer's path and permissions boundary on each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from awacs.aws import PolicyDocument, Statement
from troposphere import If, NoValue, Ref, Template
from troposphere.iam import Policy, Role

from template_gen.conditions import Conditions
from template_gen.parameters import Parameters


@dataclass(frozen=True, slots=True)
class RoleMaker:
    """Adds roles to one template."""

    template: Template
    parameters: Parameters
    conditions: Conditions

    def add(self, title: str, trust: PolicyDocument, statements: Iterable[Statement]) -> Role:
        """Add a role with one inline policy.

        Inline, because a policy of its own would need a name or outlive the role.
        """
        return self.template.add_resource(
            Role(
                title,
                AssumeRolePolicyDocument=trust,
                Path=Ref(self.parameters.role_path),
                PermissionsBoundary=If(
                    self.conditions.has_permissions_boundary,
                    Ref(self.parameters.permissions_boundary_arn),
                    NoValue,
                ),
                Policies=[
                    Policy(
                        PolicyName=title,
                        PolicyDocument=PolicyDocument(
                            Version="2012-10-17", Statement=list(statements)
                        ),
                    )
                ],
            )
        )
