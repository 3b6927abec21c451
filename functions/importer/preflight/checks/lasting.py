"""What no update of a stack can change: CloudFormation would fail half-way, or go on with an empty store."""

from __future__ import annotations

from collections.abc import Iterator

from importer.preflight.checks.quotas import ADDRESSES
from importer.preflight.problems import Problem, fault
from importer.preflight.properties import (
    CREATE_KEY,
    DATASTORE,
    ELASTIC_IPS,
    KMS_KEY,
    PUBLIC_SUBNETS,
    SCHEME,
    VPC_ID,
    Properties,
)


def check_lasting(p: Properties, before: Properties) -> Iterator[Problem]:
    """Check that an update leaves what it cannot change.

    Another scheme or VPC means another load balancer, and a target group cannot belong to the old and the
    new one at once; the address of a zone in use cannot be changed.
    """
    for name, was, now in (
        (VPC_ID, before.vpc_id, p.vpc_id),
        (SCHEME, before.scheme, p.scheme),
        (ELASTIC_IPS, before.elastic_ips, p.elastic_ips),
    ):
        if now != was:
            yield fault(
                name,
                en=f"{name} of a stack cannot be changed; set it back, or launch a second stack with the "
                f"data store of this one as {DATASTORE} and delete this one once all devices have moved.",
                ja=f"{name}は作成後に変更できません。元の値に戻すか、このスタックのデータストアを{DATASTORE}に指定して"
                "別のスタックを作成し、全機器の接続先を変更してからこのスタックを削除してください。",
            )
    both_fixed = p.elastic_ips and before.elastic_ips
    if both_fixed and p.public_subnets[:ADDRESSES] != before.public_subnets[:ADDRESSES]:
        yield fault(
            PUBLIC_SUBNETS,
            ELASTIC_IPS,
            en=f"{PUBLIC_SUBNETS}: the first {ADDRESSES} carry the fixed addresses of {ELASTIC_IPS} and must "
            f"stay {', '.join(before.public_subnets[:ADDRESSES])}, in this order; more may follow.",
            ja=f"{PUBLIC_SUBNETS}の先頭{ADDRESSES}つには{ELASTIC_IPS}の固定IPが割り当てられているため、"
            f"{', '.join(before.public_subnets[:ADDRESSES])}をこの順のままにしてください（後ろへの追加は可能です）。",
        )
    if _loses_its_key(p, before):
        yield fault(
            KMS_KEY,
            CREATE_KEY,
            en=f"{KMS_KEY} and {CREATE_KEY} cannot be changed: the data store keeps its key for ever, and "
            "what is encrypted by the old one could not be read any more; set them back.",
            ja=f"{KMS_KEY}と{CREATE_KEY}は作成後に変更できません。データストアのキーは変更できず、"
            "元のキーで暗号化されたデータを読めなくなるため、元の値に戻してください。",
        )


def replaced(kept: str, asked: str) -> Problem:
    """Return the problem of an update that would go on with another data store."""
    return fault(
        DATASTORE,
        en=f"This update would replace the data store {kept} by the empty {asked}, as another KMS key or other "
        f"tags of the stack do; undo that change, or give {kept} as {DATASTORE}.",
        ja=f"この更新によりデータストア{kept}が空の{asked}に置き換えられます（KMSキーやスタックのタグの変更が原因です）。"
        f"変更を元に戻すか、{DATASTORE}に{kept}を指定してください。",
    )


def _loses_its_key(p: Properties, before: Properties) -> bool:
    """Tell whether data would be left under a key that the roles may not use, or in a store of its own."""
    if (p.kms_key, p.create_key) == (before.kms_key, before.create_key):
        return False
    has_had_none = not before.kms_key and not before.create_key
    return not (has_had_none and p.datastore and before.datastore)
