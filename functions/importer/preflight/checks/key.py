"""Whether the services can use the customer's KMS key.

Some take the key in their own name, so its policy must name them; the others take it in the name of the role
or user that calls them, so its policy must leave the decision to IAM of the account (the policy that KMS
gives a new key does).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from importer.preflight.facts import Key
from importer.preflight.problems import Problem, fault
from importer.preflight.properties import KMS_KEY
from importer.preflight.request import Stack


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What one service needs of the key.

    Attributes:
        service: As in the property KMSKeyServices.
        principals: Either of these in the key's policy; empty: the account's IAM.
        actions: All of these.
    """

    service: str
    principals: tuple[str, ...] = ()
    actions: tuple[str, ...]


_DATA_KEYS = ("kms:Decrypt", "kms:GenerateDataKey")
NEEDS = (
    # CloudWatch Logs user guide, "Encrypt log data": the log groups.
    Need(
        service="logs",
        principals=("logs.{region}.amazonaws.com", "logs.amazonaws.com"),
        actions=("kms:Encrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:DescribeKey", *_DATA_KEYS),
    ),
    # SNS developer guide, "Encrypting messages published by CloudWatch alarms": the alarms' topic.
    Need(service="sns", principals=("cloudwatch.amazonaws.com",), actions=_DATA_KEYS),
    # S3 user guide, "Using SSE-KMS": the roles that read and write the buckets.
    Need(service="s3", actions=_DATA_KEYS),
    # DynamoDB makes a grant for itself in the name of who makes the table.
    Need(service="dynamodb", actions=("kms:CreateGrant", "kms:DescribeKey", *_DATA_KEYS)),
    # HealthImaging likewise (developer guide, "Data encryption").
    Need(service="medical-imaging", actions=("kms:CreateGrant", "kms:DescribeKey", *_DATA_KEYS)),
)  # fmt: skip
USUAL = tuple(need.service for need in NEEDS if not need.principals)
"""The data's services. Log groups and the alarms' topic hold no patient data: only a template that gives
them the key names them."""


def needed_policy(stack: Stack, services: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Return the statements that a key's policy needs for `services`, for the guide to print."""
    own_name = [need for need in NEEDS if need.principals and need.service in services]
    any_key = f"arn:{stack.partition}:kms:{stack.region}:{stack.account}:key/*"
    return [
        {"Effect": "Allow", "Principal": {"AWS": _root(stack)}, "Action": "kms:*", "Resource": "*"},
        *(
            {
                "Effect": "Allow",
                "Principal": {"Service": need.principals[0].format(region=stack.region)},
                "Action": sorted(need.actions),
                "Resource": "*",
            }
            for need in own_name
        ),
        # The account's IAM is enough for what is known; HealthImaging's developer guide ("Data encryption")
        # has this besides.
        {
            "Effect": "Allow",
            "Principal": {"Service": "medical-imaging.amazonaws.com"},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"],
            "Resource": "*",
            "Condition": {"StringLike": {"kms:EncryptionContext:kms-arn": any_key}},
        },
    ]


def _root(stack: Stack) -> str:
    return f"arn:{stack.partition}:iam::{stack.account}:root"


def check_arn(arn: str, stack: Stack) -> Iterator[Problem]:
    """Check what the ARN itself says."""
    parts = arn.split(":")
    region = parts[3] if arn.startswith("arn:") and len(parts) > 4 else stack.region  # noqa: PLR2004 - of an ARN
    if region != stack.region:
        yield fault(
            KMS_KEY,
            en=f"{KMS_KEY}: the key is of Region {region}, the stack of {stack.region}; use a key of this "
            "Region.",
            ja=f"{KMS_KEY}のキーは別のリージョン（{region}）のものであるため、"
            f"スタックと同じ{stack.region}のKMSキーを指定してください。",
        )


def check_key(
    arn: str, key: Key | None, services: tuple[str, ...], stack: Stack
) -> Iterator[Problem]:
    """Check the key of a good ARN for `services` (none named: the usual ones)."""
    name = arn.rpartition("/")[2]
    if key is None:
        yield fault(
            KMS_KEY,
            en=f"{KMS_KEY}: this Region has no KMS key {name}; copy the ARN again.",
            ja=f"{KMS_KEY}のキー（{name}）がこのリージョンに存在しないため、ARNを確認してください。",
        )
    elif not key.symmetric:
        yield fault(
            KMS_KEY,
            en=f"{KMS_KEY}: key {name} is not a symmetric encryption key; use one of SYMMETRIC_DEFAULT.",
            ja=f"{KMS_KEY}のキー（{name}）は対称暗号化キーではないため、SYMMETRIC_DEFAULTのキーを指定してください。",
        )
    elif key.state != "Enabled":
        yield fault(
            KMS_KEY,
            en=f"{KMS_KEY}: key {name} is {key.state}; enable it in KMS or use another key.",
            ja=f"{KMS_KEY}のキー（{name}）の状態が{key.state}であるため、KMSで有効化するか別のキーを指定してください。",
        )
    elif key.policy is not None:
        yield from _check_policy(name, key.policy, services, stack)


def _check_policy(
    name: str, policy: Mapping[str, Any], services: tuple[str, ...], stack: Stack
) -> Iterator[Problem]:
    without_iam: list[str] = []
    for need in NEEDS:
        if need.service not in (services or USUAL):
            continue
        principals = [one.format(region=stack.region) for one in need.principals]
        wanted = principals or [_root(stack), stack.account]
        lacking = [one for one in need.actions if not _allows(policy, wanted, one)]
        if lacking and principals:
            yield fault(
                KMS_KEY,
                en=f"{KMS_KEY}: the policy of key {name} does not let {principals[0]} do "
                f"{', '.join(lacking)}; add that to the key policy.",
                ja=f"{KMS_KEY}のキー（{name}）のキーポリシーで{principals[0]}に{', '.join(lacking)}が許可されていないため、"
                "キーポリシーに追加してください。",
            )
        elif lacking:
            without_iam.append(need.service)
    if without_iam:
        services_text = ", ".join(without_iam)
        yield fault(
            KMS_KEY,
            en=f"{KMS_KEY}: the policy of key {name} does not let IAM of account {stack.account} allow its "
            f"use ({services_text}); add the principal {_root(stack)}.",
            ja=f"{KMS_KEY}のキー（{name}）のキーポリシーでアカウント{stack.account}のIAMによる許可が有効になっておらず"
            f"{services_text}が利用できないため、{_root(stack)}を追加してください。",
        )


def _allows(policy: Mapping[str, Any], principals: list[str], action: str) -> bool:
    """Tell whether a statement allows an action to one of the principals.

    Conditions and denials are not weighed: what is let through here at worst fails later, as without this.
    """
    return any(
        statement.get("Effect") == "Allow"
        and _names(statement.get("Principal"), principals)
        and _covers(statement, action)
        for statement in _many(policy.get("Statement"))
        if isinstance(statement, Mapping)
    )


def _names(principal: object, wanted: list[str]) -> bool:
    if isinstance(principal, Mapping):
        return any(one in ("*", *wanted) for kind in principal.values() for one in _many(kind))
    return principal == "*"


def _covers(statement: Mapping[str, Any], action: str) -> bool:
    if "NotAction" in statement:
        return not _matches(_many(statement["NotAction"]), action)
    return _matches(_many(statement.get("Action")), action)


def _matches(patterns: Iterable[object], action: str) -> bool:
    return any(fnmatchcase(action.lower(), str(pattern).lower()) for pattern in patterns)


def _many(value: object) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
