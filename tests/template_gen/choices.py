"""What a hospital may choose on the form: one value other than the default for everything that is optional."""

from __future__ import annotations

from tests.template_gen.rendering import ACCOUNT

OFFICE = "203.0.113.0/24"
BRANCH = "198.51.100.0/24"
CLINIC = "192.0.2.0/24"

EVERY_OPTION: dict[str, str] = {
    "SCPAETitle": "MY HOSPITAL",
    "SCPPort": "104",
    "PeerCIDR1": OFFICE,
    "PeerCIDR2": BRANCH,
    "PeerCIDR3": CLINIC,
    "RequireCalledAETitle": "true",
    "RequireCallingAETitle": "CT01,MR 01",
    "TaskCPU": "2048",
    "TaskMemoryLimit": "4096",
    "TaskDesiredCount": "2",
    "AutoscaleMaxCapacity": "5",
    "TLSCertificateARN": "arn:aws:acm:{region}:{account}:certificate/0123abcd-0123-0123-0123-0123456789ab",
    "DIMSETimeout": "45",
    "MaximumAssociations": "100",
    "MaximumAssociationsPerAETitle": "10",
    "MaximumAssociationsPerAddress": "50",
    "ReceiverTLSSecretARN": "arn:aws:secretsmanager:{region}:{account}:secret:storescp/tls-AbC123",
    "BindAETitleToCertificate": "true",
    "NetworkTimeout": "120",
    "SupportedSOPClassUIDs": "1.2.840.10008.5.1.4.1.1.2,1.2.840.10008.5.1.4.1.1.4",
    "StorageCommitmentPeers": "CT01=10.0.1.15:104,MR 01=mr.hospital.local:11112",
    "StorageCommitmentWhen": "landed",
    "LoadBalancerScheme": "internal",
    "ElasticIPs": "true",
    "TaskSecurityGroupID": "sg-0123abcd",
    "PrivateRouteTableIDs": "rtb-0123abcd,rtb-0123abce",
    "ExistingDatastoreID": "0123456789abcdef0123456789abcdef",
    "ExpireImportedAfterDays": "365",
    "CreateKMSKey": "true",
    "KMSKeyARN": "arn:aws:kms:{region}:{account}:key/01234567-0123-0123-0123-0123456789ab",
    "ReplicaBucketARN": "arn:aws:s3:::copies-of-hospital",
    "BreakGlassRoleARN": "arn:aws:iam::{account}:role/emergency",
    "LogRetentionDays": "365",
    "LogLevel": "DEBUG",
    "AlarmEmail": "it@hospital.example.org",
    "ImageURI": "{account}.dkr.ecr.eu-west-1.amazonaws.com/team/storescp:1.0.0",
    "AssetBucketPrefix": "my-assets",
    "AssetKeyPrefix": "storescp/1.0.0/",
    "PermissionsBoundaryARN": "arn:aws:iam::{account}:policy/boundary",
    "RolePath": "/medical/imaging/",
}
"""By parameter, each by itself; `{region}` and `{account}` are the stack's."""

EXCLUSIVE: tuple[set[str], ...] = (
    {"LoadBalancerScheme", "ElasticIPs"},
    {"TLSCertificateARN", "ReceiverTLSSecretARN"},
    {"CreateKMSKey", "KMSKeyARN"},
    {"ReplicaBucketARN", "KMSKeyARN"},
    {"ReplicaBucketARN", "CreateKMSKey"},
)
"""What no stack can have both of: rules refuse it."""
NEEDS: dict[str, tuple[str, ...]] = {"BindAETitleToCertificate": ("ReceiverTLSSecretARN",)}
"""What is good only together with others."""
RECEIVER_TLS = ("ReceiverTLSSecretARN", "BindAETitleToCertificate")


def chosen(region: str, *names: str) -> dict[str, str]:
    """Return the choices of those names for a stack in a Region."""
    return {name: EVERY_OPTION[name].format(region=region, account=ACCOUNT) for name in names}


def everything_but(region: str, *left_out: str) -> dict[str, str]:
    """Return all choices but some, which exclude others."""
    return chosen(region, *(name for name in EVERY_OPTION if name not in left_out))
