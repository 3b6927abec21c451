"""Whole stacks: every combination of options renders in every Region, with nothing left undecided."""

from __future__ import annotations

import json
import re

import pytest

from template_gen.product import REGIONS
from tests.template_gen.rendering import document, rendered

CERTIFICATE = "arn:aws:acm:{region}:123456789012:certificate/0123abcd-0123-0123-0123-0123456789ab"
SETS: dict[str, dict[str, str]] = {
    "minimal": {},
    "the guide's recommendation": {
        "TaskCPU": "2048",
        "TaskMemoryLimit": "4096",
        "TaskDesiredCount": "2",
        "AutoscaleMaxCapacity": "5",
        "SCPAETitle": "MYHOSPITAL",
        "PeerCIDR1": "203.0.113.0/24",
    },
    "TLS": {"TLSCertificateARN": CERTIFICATE},
    "TLS in the servers": {
        "ReceiverTLSSecretARN": "arn:aws:secretsmanager:{region}:123456789012:secret:tls-AbC123",
        "BindAETitleToCertificate": "true",
    },
    "three peers": {
        "PeerCIDR1": "203.0.113.0/24",
        "PeerCIDR2": "198.51.100.0/24",
        "PeerCIDR3": "192.0.2.0/24",
    },
    "fixed addresses": {"ElasticIPs": "true"},
    "internal": {"LoadBalancerScheme": "internal", "PrivateRouteTableIDs": "rtb-0123abcd"},
    "what exists already": {
        "ExistingDatastoreID": "0123456789abcdef0123456789abcdef",
        "TaskSecurityGroupID": "sg-0123abcd",
        "PermissionsBoundaryARN": "arn:aws:iam::123456789012:policy/boundary",
        "RolePath": "/medical/",
    },
    "other release": {
        "ImageURI": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/s:1",
        "AssetBucketPrefix": "mine",
        "AssetKeyPrefix": "s/1/",
    },
    "copies in another Region": {"ReplicaBucketARN": "arn:aws:s3:::copies"},
    "key of the stack": {"CreateKMSKey": "true"},
    "existing key": {"KMSKeyARN": "arn:aws:kms:{region}:123456789012:key/0123abcd"},
    "all lists filled": {
        "RequireCallingAETitle": "CT01,MR01",
        "SupportedSOPClassUIDs": "1.2.840.10008.5.1.4.1.1.2",
        "AlarmEmail": "it@hospital.example.org",
        "PrivateRouteTableIDs": "rtb-0123abcd,rtb-0123abce",
    },
}


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("options", SETS.values(), ids=SETS.keys())
def test_options_render_in_every_region(region: str, options: dict[str, str]) -> None:
    """No intrinsic, condition or other Region's name is left in what would be made."""
    zones = {"AvailabilityZones": f"{region}a,{region}b"}
    stack = rendered(
        region, **zones, **{name: v.format(region=region) for name, v in options.items()}
    )
    text = json.dumps({"Resources": stack["Resources"], "Outputs": stack["Outputs"]})

    assert '"Ref"' not in text
    assert "Fn::" not in text
    assert "${" not in text
    assert {found for found in REGIONS if f'"{found}"' in text} <= {region}


def test_every_parameter_and_condition_is_used() -> None:
    """A field of the form without effect would be a lie."""
    built = document()
    used = json.dumps({k: built[k] for k in ("Resources", "Outputs", "Conditions", "Rules")})

    unused = [name for name in built["Parameters"] if f'"Ref": "{name}"' not in used]
    idle = [
        name
        for name in built["Conditions"]
        if not re.search(rf'"(Condition": "{name}"|Fn::If": \["{name}")', used)
    ]

    assert (unused, idle) == ([], [])
