"""The properties of the custom resource: named as the template's parameters, so that a message can name them.

Reading is lenient: an absent or unreadable value is empty, and what has no value is not checked. A template
that is wired wrongly is found by the template's tests, not by refusing a hospital's stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

VPC_ID = "VpcID"
PUBLIC_SUBNETS = "PublicSubnetIDs"
PRIVATE_SUBNETS = "PrivateSubnetIDs"
ZONES = "AvailabilityZones"
SECURITY_GROUP = "SecurityGroupID"
VPC_CIDR = "VpcCIDR"
PEER_CIDR_1 = "PeerCIDR1"
PEER_CIDR_2 = "PeerCIDR2"
PEER_CIDR_3 = "PeerCIDR3"
TASK_CPU = "TaskCPU"
DESIRED_COUNT = "TaskDesiredCount"
MAX_CAPACITY = "AutoscaleMaxCapacity"
CERTIFICATE = "TLSCertificateARN"
TLS_SECRET = "ReceiverTLSSecretARN"  # noqa: S105 - a parameter's name
SCHEME = "LoadBalancerScheme"
ELASTIC_IPS = "ElasticIPs"
TASK_SECURITY_GROUP = "TaskSecurityGroupID"
ROUTE_TABLES = "PrivateRouteTableIDs"
DATASTORE = "ExistingDatastoreID"
KMS_KEY = "KMSKeyARN"
CREATE_KEY = "CreateKMSKey"
KMS_SERVICES = "KMSKeyServices"
"""Not a parameter: which services of `checks.key.NEEDS` use the key; the data's services when absent."""
WHOLE_NUMBERS = "WholeNumbers"
"""Not a parameter: `NAME=VALUE` of each whose type, CloudFormation's Number, takes fractions too."""
IMAGE = "ImageURI"
"""The image in use, also when the parameter is empty: its account and Region decide about endpoints."""
COMMITMENT_PEERS = "StorageCommitmentPeers"
INTERNET_FACING = "internet-facing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Properties:
    """What the user chose; empty means not chosen."""

    vpc_id: str = ""
    public_subnets: tuple[str, ...] = ()
    private_subnets: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    security_group: str = ""
    vpc_cidr: str = ""
    peer_cidr_1: str = ""
    peer_cidr_2: str = ""
    peer_cidr_3: str = ""
    task_cpu: int = 0
    desired_count: int = 0
    max_capacity: int = 0
    certificate: str = ""
    tls_secret: str = ""
    scheme: str = INTERNET_FACING
    elastic_ips: bool = False
    task_security_group: str = ""
    route_tables: tuple[str, ...] = ()
    datastore: str = ""
    kms_key: str = ""
    create_key: bool = False
    kms_services: tuple[str, ...] = ()
    whole_numbers: tuple[str, ...] = ()
    image: str = ""
    commitment_peers: str = ""

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Properties:
        """Read the resource's properties; CloudFormation sends numbers and booleans as strings."""
        values = {
            name: _READ[kind](document[key])
            for name, (key, kind) in _SOURCES.items()
            if document.get(key) not in (None, "")
        }
        return cls(**values)

    def changed_from(self, previous: Properties) -> frozenset[str]:
        """Return the names of the properties whose value is another one in `previous`."""
        return frozenset(
            key
            for name, (key, _) in _SOURCES.items()
            if getattr(self, name) != getattr(previous, name)
        )


def _text(value: object) -> str:
    return str(value).strip()


def _number(value: object) -> int:
    text = str(value).strip()
    return int(text) if text.isdecimal() else 0


def _boolean(value: object) -> bool:
    return str(value).strip().lower() == "true"


def _list(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else str(value).split(",")
    return tuple(text for item in items if (text := str(item).strip()))


_READ: dict[str, Any] = {
    "str": _text,
    "int": _number,
    "bool": _boolean,
    "tuple[str, ...]": _list,
}
_KEYS = (
    VPC_ID, PUBLIC_SUBNETS, PRIVATE_SUBNETS, ZONES, SECURITY_GROUP, VPC_CIDR,
    PEER_CIDR_1, PEER_CIDR_2, PEER_CIDR_3, TASK_CPU, DESIRED_COUNT,
    MAX_CAPACITY, CERTIFICATE, TLS_SECRET, SCHEME, ELASTIC_IPS, TASK_SECURITY_GROUP, ROUTE_TABLES,
    DATASTORE, KMS_KEY, CREATE_KEY, KMS_SERVICES, WHOLE_NUMBERS, IMAGE, COMMITMENT_PEERS,
)  # fmt: skip
_SOURCES: dict[str, tuple[str, str]] = {
    field.name: (key, str(field.type)) for field, key in zip(fields(Properties), _KEYS, strict=True)
}
PROPERTY_NAMES = frozenset(_KEYS)
"""What the template must bind."""
