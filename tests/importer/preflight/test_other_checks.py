from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from importer.preflight.checks import certificate, key, quotas
from importer.preflight.checks.datastore import check_datastore
from importer.preflight.checks.service_roles import check_role
from importer.preflight.facts import Certificate, Key, RoleState
from importer.preflight.problems import Problem, Severity
from tests.importer.preflight.builders import ACCOUNT, CERTIFICATE, GOOD, KEY, REGION, STACK

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ISSUED = Certificate(
    status="ISSUED", key_algorithm="RSA_2048", not_after=NOW + timedelta(days=300), renews=True
)
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
IAM_DECIDES = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}
LOGS = {
    "Effect": "Allow",
    "Principal": {"Service": f"logs.{REGION}.amazonaws.com"},
    "Action": ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
    "Resource": "*",
}  # fmt: skip
ALARMS = {
    "Effect": "Allow",
    "Principal": {"Service": ["cloudwatch.amazonaws.com", "events.amazonaws.com"]},
    "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
    "Resource": "*",
}
ENOUGH = (IAM_DECIDES, LOGS, ALARMS)
EVERY = tuple(need.service for need in key.NEEDS)


def of_certificate(**changes: Any) -> Iterator[Problem]:
    return certificate.check_certificate(CERTIFICATE, replace(ISSUED, **changes), NOW)


def of_key(
    *statements: Mapping[str, Any], services: tuple[str, ...] = EVERY, **changes: Any
) -> Iterator[Problem]:
    found = Key(state="Enabled", symmetric=True, policy={"Statement": list(statements)})
    return key.check_key(KEY, replace(found, **changes), services, STACK)


FAULTS = {
    "certificate of another Region": (
        certificate.check_arn(CERTIFICATE.replace(REGION, "us-east-1"), STACK), "TLSCertificateARN",
        "of Region us-east-1, the stack of eu-west-1", "別のリージョン（us-east-1）",
    ),
    "certificate of another account": (
        certificate.check_arn(CERTIFICATE.replace(ACCOUNT, "999999999999"), STACK), "TLSCertificateARN",
        "belongs to account 999999999999", "別のアカウント（999999999999）",
    ),
    "no such certificate": (
        certificate.check_certificate(CERTIFICATE, None, NOW), "TLSCertificateARN",
        "no certificate c-1", "c-1）がこのリージョンのACMに存在しない",
    ),
    "certificate not validated": (
        of_certificate(status="PENDING_VALIDATION"), "TLSCertificateARN",
        "c-1 is PENDING_VALIDATION, not ISSUED; finish its DNS or e-mail validation",
        "PENDING_VALIDATIONであるため、先にACMでDNSまたはEメールによる検証を完了してください",
    ),
    "certificate expired by status": (
        of_certificate(status="EXPIRED"), "TLSCertificateARN", "c-1 is EXPIRED, not ISSUED; renew",
        "EXPIREDであるため、更新または再インポートしてください",
    ),
    "certificate revoked": (
        of_certificate(status="REVOKED"), "TLSCertificateARN", "choose an issued certificate", "発行済みの証明書を指定してください",
    ),
    "certificate expired": (
        of_certificate(not_after=NOW), "TLSCertificateARN", "c-1 expired on 2026-11-23", "2026-11-23に有効期限が切れている",
    ),
    "certificate of a key that is too long": (
        of_certificate(key_algorithm="RSA_4096"), "TLSCertificateARN", "takes no RSA_4096 key", "鍵（RSA_4096）はNetwork Load Balancerで使用できない",
    ),
    "key of another Region": (
        key.check_arn(KEY.replace(REGION, "us-west-2"), STACK), "KMSKeyARN",
        "of Region us-west-2, the stack of eu-west-1", "別のリージョン（us-west-2）",
    ),
    "no such key": (key.check_key(KEY, None, (), STACK), "KMSKeyARN", "no KMS key k-1", "k-1）がこのリージョンに存在しない"),
    "key disabled": (
        of_key(*ENOUGH, state="Disabled"), "KMSKeyARN", "k-1 is Disabled; enable it", "状態がDisabledであるため、KMSで有効化",
    ),
    "asymmetric key": (
        of_key(*ENOUGH, symmetric=False), "KMSKeyARN", "not a symmetric encryption key", "対称暗号化キーではない",
    ),
    "key policy without CloudWatch Logs": (
        of_key(IAM_DECIDES, ALARMS), "KMSKeyARN",
        "does not let logs.eu-west-1.amazonaws.com do kms:Encrypt", "logs.eu-west-1.amazonaws.comにkms:Encrypt",
    ),
    "key policy with too little for CloudWatch Logs": (
        of_key(IAM_DECIDES, ALARMS, LOGS | {"Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:Describe*"]}),
        "KMSKeyARN", "do kms:GenerateDataKey;", "kms:GenerateDataKeyが許可されていない",
    ),
    "key policy of another Region's CloudWatch Logs": (
        of_key(IAM_DECIDES, ALARMS, LOGS | {"Principal": {"Service": "logs.us-east-1.amazonaws.com"}}),
        "KMSKeyARN", "does not let logs.eu-west-1.amazonaws.com", "logs.eu-west-1.amazonaws.com",
    ),
    "key policy without the alarms": (
        of_key(IAM_DECIDES, LOGS), "KMSKeyARN", "does not let cloudwatch.amazonaws.com do kms:Decrypt, kms:GenerateDataKey",
        "cloudwatch.amazonaws.comにkms:Decrypt, kms:GenerateDataKeyが許可されていない",
    ),
    "key policy without IAM": (
        of_key(IAM_DECIDES | {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/admin"}}, LOGS, ALARMS),
        "KMSKeyARN", f"(s3, dynamodb, medical-imaging); add the principal {ROOT}", f"s3, dynamodb, medical-imagingが利用できないため、{ROOT}を追加",
    ),
    "key policy that only denies": (
        of_key(IAM_DECIDES | {"Effect": "Deny"}, services=("s3",)), "KMSKeyARN", "(s3)", "s3が利用できない",
    ),
    "no such data store": (
        check_datastore("d" * 32, None), "ExistingDatastoreID", f"no data store {'d' * 32}", "存在しないため、IDを確認する",
    ),
    "data store being deleted": (
        check_datastore("d" * 32, "DELETING"), "ExistingDatastoreID", "is DELETING, not ACTIVE", "ACTIVEではなくDELETING",
    ),
    "too few vCPUs": (
        quotas.check_vcpus(replace(GOOD, task_cpu=4096, desired_count=2), 6.0), "TaskDesiredCount",
        "TaskDesiredCount 2 with TaskCPU 4096 needs 8 vCPUs, but Service Quotas fargate L-3032A538 allows 6",
        "8 vCPUが必要ですが上限（Service Quotas fargate L-3032A538）は6のため、上限緩和を申請する",
    ),
    "no room for a load balancer": (
        quotas.check_load_balancers(50, 50.0), "PublicSubnetIDs", "has 50 Network Load Balancers", "Network Load Balancerが50個あり",
    ),
    "no room for Elastic IPs": (
        quotas.check_elastic_ips(4, 5.0), "ElasticIPs", "2 addresses are needed and 4 of 5", "上限（Service Quotas ec2 L-0263D0A3）5個のうち4個が使用中",
    ),
    "one security group a network interface": (
        quotas.check_groups_per_interface(GOOD, 1.0), "SecurityGroupID", "2 security groups per network interface", "2個のセキュリティグループ",
    ),
    "no room for a data store": (
        quotas.check_datastores(10, 10.0), "ExistingDatastoreID", "has 10 HealthImaging data stores", "データストアは10個あり",
    ),
}  # fmt: skip
WARNINGS = {
    "certificate expires soon": (
        of_certificate(not_after=NOW + timedelta(days=29), renews=False), "2026-12-22 and ACM does not renew it", "自動更新されない",
    ),
    "too few vCPUs for the most servers": (
        quotas.check_vcpus(replace(GOOD, task_cpu=4096), 6.0), "AutoscaleMaxCapacity 3 with TaskCPU 4096 may need 12 vCPUs", "12 vCPUが必要",
    ),
    "role that cannot be made": (
        check_role(RoleState("ecs.amazonaws.com", "AWSServiceRoleForECS", error="AccessDenied")),
        "--aws-service-name ecs.amazonaws.com", "作成もできなかった（AccessDenied）",
    ),
}  # fmt: skip
SOUND = {
    "ARN of the stack's own certificate": certificate.check_arn(CERTIFICATE, STACK),
    "issued certificate": of_certificate(),
    "P-521 key": of_certificate(key_algorithm="EC_secp521r1"),
    "certificate that ACM renews soon": of_certificate(not_after=NOW + timedelta(days=1)),
    "certificate without an end": of_certificate(not_after=None),
    "ARN of the stack's own key": key.check_arn(KEY, STACK),
    "enough of a key policy": of_key(*ENOUGH),
    "key policy for everybody": of_key({"Effect": "Allow", "Principal": "*", "Action": "*"}),
    "key policy of everything but": of_key(
        IAM_DECIDES | {"Principal": {"AWS": "*"}, "NotAction": "kms:ScheduleKeyDeletion"}
    ),
    "key policy with the account's number": of_key(
        IAM_DECIDES | {"Principal": {"AWS": ACCOUNT}}, LOGS, ALARMS
    ),
    "key policy for what is used": of_key(IAM_DECIDES, services=("s3", "dynamodb")),
    "key policy of KMS's own making": of_key(IAM_DECIDES, services=()),
    "key policy that the guide prints": of_key(*key.needed_policy(STACK, EVERY)),
    "key policy that cannot be read": of_key(policy=None),
    "active data store": check_datastore("d" * 32, "ACTIVE"),
    "just enough vCPUs": quotas.check_vcpus(GOOD, 3.0),
    "unknown vCPUs": quotas.check_vcpus(replace(GOOD, task_cpu=16384), None),
    "the last load balancer": quotas.check_load_balancers(49, 50.0),
    "the last Elastic IPs": quotas.check_elastic_ips(3, 5.0),
    "the usual security groups": quotas.check_groups_per_interface(GOOD, 5.0),
    "the last data store": quotas.check_datastores(9, 10.0),
    "role that is there": check_role(RoleState("ecs.amazonaws.com", "AWSServiceRoleForECS")),
}


@pytest.fixture(scope="module")
def found() -> dict[str, list[Problem]]:
    """Every case's problems; the tables hold iterators, which are read once."""
    return {name: list(case[0]) for name, case in (FAULTS | WARNINGS).items()}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found_and_said_in_both_languages(
    name: str, found: dict[str, list[Problem]]
) -> None:
    """One problem, which names the parameter, the value and the remedy."""
    _, parameter, en, ja = FAULTS[name]
    [problem] = found[name]

    assert problem.severity is Severity.FAULT
    assert parameter in problem.parameters
    assert en in problem.text.en
    assert ja in problem.text.ja


@pytest.mark.parametrize("name", WARNINGS)
def test_what_may_hurt_later_is_only_said(name: str, found: dict[str, list[Problem]]) -> None:
    """A warning in both languages."""
    _, en, ja = WARNINGS[name]
    [problem] = found[name]

    assert problem.severity is Severity.WARNING
    assert en in problem.text.en
    assert ja in problem.text.ja


@pytest.mark.parametrize("problems", SOUND.values(), ids=SOUND.keys())
def test_what_is_right_is_not_mentioned(problems: Iterator[Problem]) -> None:
    """No problem."""
    assert [] == list(problems)


@pytest.mark.parametrize("name", [*FAULTS, "certificate expires soon"])
def test_sentences_are_one_sentence(name: str, found: dict[str, list[Problem]]) -> None:
    """One sentence in each language; the Japanese one asks politely."""
    [problem] = found[name]

    assert problem.text.en.endswith(".")
    assert ". " not in problem.text.en
    assert problem.text.ja.endswith("ください。")
    assert problem.text.ja.count("。") == 1
    assert len(str(problem.text).encode()) < 1000
