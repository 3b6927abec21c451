"""Named conditions, each name once."""

from __future__ import annotations

from dataclasses import dataclass

from troposphere import And, AWSHelperFn, Condition, Equals, Join, Not, Or, Parameter, Ref, Template

from template_gen.parameters import Parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Names of the conditions."""

    has_tls: str
    has_receiver_tls: str
    has_peer_cidr_1: str
    has_peer_cidr_2: str
    has_peer_cidr_3: str
    has_commitment: str
    answers_peer_cidr_1: str
    answers_peer_cidr_2: str
    answers_peer_cidr_3: str
    has_elastic_ips: str
    has_task_security_group: str
    has_private_route_tables: str
    makes_datastore: str
    has_replica: str
    has_break_glass_role: str
    makes_key: str
    has_existing_key: str
    has_key: str
    has_alarm_email: str
    has_image_uri: str
    has_asset_bucket_prefix: str
    has_asset_key_prefix: str
    has_permissions_boundary: str


def add_conditions(template: Template, p: Parameters) -> Conditions:
    """Add every condition."""
    return Conditions(
        has_tls=_add(template, "HasTLS", _is_given(p.tls_certificate_arn)),
        has_receiver_tls=_add(template, "HasReceiverTLS", _is_given(p.receiver_tls_secret_arn)),
        # A range given twice would be refused by EC2 as a duplicate rule.
        has_peer_cidr_1=_add(
            template,
            "HasPeerCIDR1",
            And(_is_given(p.peer_cidr_1), _differ(p.peer_cidr_1, p.vpc_cidr)),
        ),
        has_peer_cidr_2=_add(
            template,
            "HasPeerCIDR2",
            And(
                _is_given(p.peer_cidr_2),
                _differ(p.peer_cidr_2, p.vpc_cidr),
                _differ(p.peer_cidr_2, p.peer_cidr_1),
            ),
        ),
        has_peer_cidr_3=_add(
            template,
            "HasPeerCIDR3",
            And(
                _is_given(p.peer_cidr_3),
                _differ(p.peer_cidr_3, p.vpc_cidr),
                _differ(p.peer_cidr_3, p.peer_cidr_1),
                _differ(p.peer_cidr_3, p.peer_cidr_2),
            ),
        ),
        has_commitment=_add(
            template, "HasStorageCommitment", _is_given(p.storage_commitment_peers)
        ),
        **{
            f"answers_peer_cidr_{n}": _add(
                template,
                f"AnswersPeerCIDR{n}",
                And(Condition("HasStorageCommitment"), Condition(f"HasPeerCIDR{n}")),
            )
            for n in (1, 2, 3)
        },
        has_elastic_ips=_add(template, "HasElasticIPs", _is_true(p.elastic_ips)),
        has_task_security_group=_add(
            template, "HasTaskSecurityGroup", _is_given(p.task_security_group_id)
        ),
        has_private_route_tables=_add(
            template,
            "HasPrivateRouteTables",
            Not(Equals(Join("", Ref(p.private_route_table_ids)), "")),
        ),
        makes_datastore=_add(template, "MakesDatastore", Equals(Ref(p.existing_datastore_id), "")),
        has_replica=_add(template, "HasReplica", _is_given(p.replica_bucket_arn)),
        has_break_glass_role=_add(template, "HasBreakGlassRole", _is_given(p.break_glass_role_arn)),
        makes_key=_add(template, "MakesKey", _is_true(p.create_kms_key)),
        has_existing_key=_add(template, "HasExistingKey", _is_given(p.kms_key_arn)),
        has_key=_add(template, "HasKey", Or(_is_true(p.create_kms_key), _is_given(p.kms_key_arn))),
        has_alarm_email=_add(template, "HasAlarmEmail", _is_given(p.alarm_email)),
        has_image_uri=_add(template, "HasImageURI", _is_given(p.image_uri)),
        has_asset_bucket_prefix=_add(
            template, "HasAssetBucketPrefix", _is_given(p.asset_bucket_prefix)
        ),
        has_asset_key_prefix=_add(template, "HasAssetKeyPrefix", _is_given(p.asset_key_prefix)),
        has_permissions_boundary=_add(
            template, "HasPermissionsBoundary", _is_given(p.permissions_boundary_arn)
        ),
    )


def _add(template: Template, name: str, condition: AWSHelperFn) -> str:
    """Add a condition; troposphere itself would overwrite one of the same name in silence."""
    if name in template.conditions:
        raise ValueError(f"condition {name} is there already")
    template.add_condition(name, condition)
    return name


def _is_given(parameter: Parameter) -> AWSHelperFn:
    return Not(Equals(Ref(parameter), ""))


def _is_true(parameter: Parameter) -> AWSHelperFn:
    return Equals(Ref(parameter), "true")


def _differ(one: Parameter, other: Parameter) -> AWSHelperFn:
    return Not(Equals(Ref(one), Ref(other)))
