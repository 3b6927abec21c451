"""Preflight: the custom resource that everything else waits for, and the function that answers for it.

The same function answers for KeptDatastore, which what uses the data store waits for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from awacs.aws import Action, Allow, Condition, PolicyDocument, Statement, StringEquals
from troposphere import AWSObject, If, Join, NoValue, Ref, Sub, Template
from troposphere.iam import Policy
from troposphere.validators.cloudformation import AWSCustomObject

from importer.handlers import preflight as handler
from importer.preflight import kept_datastore
from importer.preflight import properties as names
from importer.preflight.permissions import MEMORY_MIB, PERMISSIONS, TIMEOUT_S, Permission
from template_gen.conditions import Conditions
from template_gen.datastore import DataStore
from template_gen.encryption import KEY_SERVICES
from template_gen.functions import FunctionMaker, Plan
from template_gen.parameters import Parameters
from template_gen.permissions import arn_of

SERVICE_TIMEOUT_S = 600
"""How long CloudFormation waits for the answer, an hour if nobody says. Lambda runs a function that fails
three times, one and two minutes apart: six minutes."""
_VARIABLE = re.compile(r"\$\{(\w+)[.}]")


class Preflight(AWSCustomObject):
    """Named as what it is, so that the console shows its sentence beside that name."""

    resource_type = "Custom::Preflight"
    props = {  # noqa: RUF012 - troposphere's own declaration
        "ServiceToken": (str, True),
        "ServiceTimeout": (int, False),
        **dict.fromkeys(sorted(names.PROPERTY_NAMES), ((str, list), True)),
    }


class KeptDatastore(AWSCustomObject):
    """Fails an update that would go on with another data store."""

    resource_type = kept_datastore.RESOURCE_TYPE
    props = {  # noqa: RUF012 - troposphere's own declaration
        "ServiceToken": (str, True),
        "ServiceTimeout": (int, False),
        kept_datastore.IN_USE: (str, True),
        names.DATASTORE: (str, True),
    }


def add_preflight(p: Parameters, c: Conditions, maker: FunctionMaker) -> Preflight:
    """Add function, role and custom resource."""
    made = maker.add(
        Plan(
            title="PreflightFunction",
            handler=f"{handler.__name__}.handler",
            description="Refuses a stack that cannot work, and says what to change.",
            timeout_s=TIMEOUT_S,
            memory_mib=MEMORY_MIB,
            # All that it needs to know is in the request.
            environment={},
            statements=[_statement(one) for one in PERMISSIONS if not one.when],
        )
    )
    made.role.Policies += [_optional_policy(one, c) for one in PERMISSIONS if one.when]
    return maker.roles.template.add_resource(
        Preflight(
            "Preflight",
            ServiceToken=arn_of(made.function),
            ServiceTimeout=SERVICE_TIMEOUT_S,
            **_bound(
                {
                    names.VPC_ID: Ref(p.vpc_id),
                    names.PUBLIC_SUBNETS: Ref(p.public_subnet_ids),
                    names.PRIVATE_SUBNETS: Ref(p.private_subnet_ids),
                    names.ZONES: Ref(p.availability_zones),
                    names.SECURITY_GROUP: Ref(p.security_group_id),
                    names.VPC_CIDR: Ref(p.vpc_cidr),
                    names.PEER_CIDR_1: Ref(p.peer_cidr_1),
                    names.PEER_CIDR_2: Ref(p.peer_cidr_2),
                    names.PEER_CIDR_3: Ref(p.peer_cidr_3),
                    names.TASK_CPU: Ref(p.task_cpu),
                    names.DESIRED_COUNT: Ref(p.task_desired_count),
                    names.MAX_CAPACITY: Ref(p.autoscale_max_capacity),
                    names.CERTIFICATE: Ref(p.tls_certificate_arn),
                    names.TLS_SECRET: Ref(p.receiver_tls_secret_arn),
                    names.SCHEME: Ref(p.load_balancer_scheme),
                    names.ELASTIC_IPS: Ref(p.elastic_ips),
                    names.TASK_SECURITY_GROUP: Ref(p.task_security_group_id),
                    names.ROUTE_TABLES: Ref(p.private_route_table_ids),
                    names.DATASTORE: Ref(p.existing_datastore_id),
                    # A key that the stack makes has the policy that it needs.
                    names.KMS_KEY: Ref(p.kms_key_arn),
                    names.CREATE_KEY: Ref(p.create_kms_key),
                    names.KMS_SERVICES: list(KEY_SERVICES),
                    names.WHOLE_NUMBERS: [
                        Join("=", [one.title, Ref(one)])
                        for one in p.all()
                        if one.Type == "Number" and "AllowedValues" not in one.properties
                    ],
                    names.IMAGE: maker.assets.image,
                    names.COMMITMENT_PEERS: Ref(p.storage_commitment_peers),
                }
            ),
        )
    )


def let_everything_wait(template: Template, preflight: Preflight) -> None:
    """Let every resource wait for Preflight, but those that it needs itself.

    So a refused stack has made nothing that costs, and Preflight is there until all others are deleted.
    """
    title = str(preflight.title)
    needed = needed_by(template.to_dict()["Resources"], title)
    for name, resource in template.resources.items():
        if name != title and name not in needed:
            _wait(resource, title)


def keep_datastore(
    template: Template, p: Parameters, preflight: Preflight, datastore: DataStore
) -> None:
    """Let whatever uses the data store wait until it is found to be the one that was in use before.

    So no function, rule or role learns of another one that an update has made by mistake.
    """
    users = [
        name
        for name, body in template.to_dict()["Resources"].items()
        if datastore.title in _mentioned(body)
    ]
    asked: dict[str, Any] = {
        kept_datastore.IN_USE: datastore.id,
        names.DATASTORE: Ref(p.existing_datastore_id),
    }
    kept = template.add_resource(
        KeptDatastore(
            "KeptDatastore",
            ServiceToken=preflight.ServiceToken,
            ServiceTimeout=SERVICE_TIMEOUT_S,
            **asked,
        )
    )
    for name in users:
        _wait(template.resources[name], str(kept.title))


def _wait(resource: AWSObject, title: str) -> None:
    waits = resource.resource.get("DependsOn", [])
    resource.DependsOn = [title, *([waits] if isinstance(waits, str) else waits)]


def needed_by(resources: Mapping[str, Any], title: str) -> set[str]:
    """Return what a resource refers to or waits for, directly and through others."""
    found: set[str] = set()
    left = [title]
    while left:
        for name in _mentioned(resources[left.pop()]):
            if name in resources and name not in found:
                found.add(name)
                left.append(name)
    return found


def _mentioned(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _mentioned(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "Ref":
                yield value
            elif key == "Fn::GetAtt":
                yield value[0]
            elif key == "DependsOn":
                yield from [value] if isinstance(value, str) else value
            else:
                yield from _mentioned(value)
                if key == "Fn::Sub":
                    text = value if isinstance(value, str) else value[0]
                    yield from _VARIABLE.findall(text)


def _bound(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values, if they are those that the function reads.

    Raises:
        KeyError: A property has no value, or a value no property.
    """
    if values.keys() != names.PROPERTY_NAMES:
        raise KeyError(f"Preflight: {sorted(values.keys() ^ names.PROPERTY_NAMES)}")
    return values


def _statement(permission: Permission) -> Statement:
    conditions = {}
    if permission.equals:
        equals = {name: list(values) for name, values in permission.equals.items()}
        conditions["Condition"] = Condition(StringEquals(equals))
    return Statement(
        Effect=Allow,
        Action=[Action(*action.split(":")) for action in permission.actions],
        Resource=[_resource(one) for one in permission.resources],
        **conditions,
    )


def _resource(text: str) -> Any:
    return Sub(text) if "${" in text else text


def _optional_policy(permission: Permission, c: Conditions) -> If:
    """Return a policy that is only there if its parameter has a value: else it would name no resource."""
    policy = Policy(
        PolicyName=f"PreflightFunctionWith{permission.when}",
        PolicyDocument=PolicyDocument(Version="2012-10-17", Statement=[_statement(permission)]),
    )
    if permission.when == names.DATASTORE:
        return If(c.makes_datastore, NoValue, policy)
    given = {names.CERTIFICATE: c.has_tls, names.KMS_KEY: c.has_existing_key}
    return If(given[permission.when], policy, NoValue)
