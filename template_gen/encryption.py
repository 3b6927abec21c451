"""The KMS key of the data: AWS's own unless the form asks for a key of the stack or names an existing one.

Queues and logs hold no patient data and stay with the encryption of their services, and S3 delivers access
logs only to a bucket with its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from awacs import kms
from awacs.aws import (
    Action,
    Allow,
    Condition,
    PolicyDocument,
    Principal,
    Statement,
    StringEquals,
    StringLike,
)
from troposphere import AWSHelperFn, GetAtt, If, NoValue, Ref, Sub, Template
from troposphere.iam import PolicyType, Role
from troposphere.kms import Key

from template_gen.conditions import Conditions
from template_gen.parameters import Parameters
from template_gen.permissions import HEALTHIMAGING

KEY_SERVICES = ("s3", "dynamodb", "medical-imaging")
"""Services that use the key; each in the name of the role or user that calls it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """The key in use, if any.

    Attributes:
        key: The key's ARN, or no value.
        condition: Whether there is one.
        choices: Each condition with the key that it stands for.
    """

    key: AWSHelperFn
    condition: str
    choices: tuple[tuple[str, AWSHelperFn], ...]

    def if_key(self, value: Any, otherwise: Any) -> If:
        """Return `value` if there is a key."""
        return If(self.condition, value, otherwise)


def add_encryption(template: Template, p: Parameters, c: Conditions) -> Encryption:
    """Add the stack's own key, for those who ask for it."""
    key = template.add_resource(
        Key(
            "DataKey",
            Condition=c.makes_key,
            Description="Images, results and ledger of StoreSCP",
            # Without the key the data is lost, so it outlives the stack.
            DeletionPolicy="Retain",
            UpdateReplacePolicy="Retain",
            EnableKeyRotation=True,
            KeyPolicy=PolicyDocument(
                Version="2012-10-17",
                Statement=[
                    # KMS's own default: IAM of this account decides. Without it nobody could ever
                    # change the key's policy again.
                    Statement(
                        Effect=Allow,
                        Principal=Principal(
                            "AWS", Sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")
                        ),
                        Action=[Action("kms", "*")],
                        Resource=["*"],
                    ),
                    # As the developer guide of HealthImaging has it. The key's own ARN would close a circle.
                    Statement(
                        Effect=Allow,
                        Principal=Principal("Service", HEALTHIMAGING),
                        Action=[
                            kms.Decrypt,
                            kms.GenerateDataKey,
                            kms.GenerateDataKeyWithoutPlaintext,
                        ],
                        Resource=["*"],
                        Condition=Condition(
                            StringLike(
                                "kms:EncryptionContext:kms-arn",
                                Sub(
                                    "arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/*"
                                ),
                            )
                        ),
                    ),
                ],
            ),
        )
    )
    own, existing = GetAtt(key, "Arn"), Ref(p.kms_key_arn)
    return Encryption(
        key=If(c.makes_key, own, If(c.has_existing_key, existing, NoValue)),
        condition=c.has_key,
        choices=((c.makes_key, own), (c.has_existing_key, existing)),
    )


def let_roles_use_key(template: Template, encryption: Encryption, roles: list[Role]) -> None:
    """Let roles use the key through its services, for the data that they may touch there anyway.

    HealthImaging asks for it in the name of whoever starts an import, besides its own grant (developer
    guide, "Data encryption").
    """
    services = [Sub(f"{service}.${{AWS::Region}}.amazonaws.com") for service in KEY_SERVICES]
    for condition, key in encryption.choices:
        template.add_resource(
            PolicyType(
                f"DataKeyPolicyWhen{condition}",
                Condition=condition,
                Roles=[Ref(role) for role in roles],
                PolicyName=f"DataKeyWhen{condition}",
                PolicyDocument=PolicyDocument(
                    Version="2012-10-17",
                    Statement=[
                        Statement(
                            Effect=Allow,
                            Action=[kms.Decrypt, kms.GenerateDataKey, kms.DescribeKey],
                            Resource=[key],
                            Condition=Condition(StringEquals("kms:ViaService", services)),
                        )
                    ],
                ),
            )
        )
