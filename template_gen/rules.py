"""What CloudFormation refuses before it makes anything, each with the sentence that helps.

Rules know the functions of facts about parameters only: equality and membership, no numbers, no ranges.
troposphere has no classes for most of them, so they are written as CloudFormation's own dictionaries.
"""

from __future__ import annotations

from typing import Any

from troposphere import Parameter, Template

from template_gen import fargate
from template_gen.form import Text
from template_gen.guide_parameters import COUNTS
from template_gen.parameters import Parameters
from template_gen.product import REGIONS

Expression = dict[str, Any]

_ZONE_LETTERS = {
    "us-east-1": "abcdef",
    "us-west-2": "abcd",
    "ap-southeast-2": "abc",
    "eu-west-1": "abc",
    "eu-west-2": "abc",
}
ZONES = tuple(region + letter for region, letters in _ZONE_LETTERS.items() for letter in letters)
"""Every zone of the five Regions: a rule can ask whether all subnets are in a zone only by its name."""
_AND_LIMIT = 10
"""Conditions that one Fn::And takes."""


def add_rules(template: Template, p: Parameters) -> None:
    """Add every rule."""
    _add(
        template,
        "RegionHasHealthImaging",
        _contains(list(REGIONS), {"Ref": "AWS::Region"}),
        Text(
            f"AWS HealthImaging is not in this Region: choose one of {', '.join(REGIONS)}.",
            f"このリージョンではAWS HealthImagingを利用できません。{'、'.join(REGIONS)} から選んでください。",
        ),
    )
    for kind, subnets, kind_ja in (
        ("Public", p.public_subnet_ids, "パブリックサブネット"),
        ("Private", p.private_subnet_ids, "プライベートサブネット"),
    ):
        _add(
            template,
            f"{kind}SubnetsAreInTheVpc",
            {"Fn::EachMemberEquals": [_value_of(subnets, "VpcId"), _ref(p.vpc_id)]},
            Text(
                f"A subnet of {subnets.title} is not in the VPC of {p.vpc_id.title}: choose subnets of "
                "that VPC.",
                f"{kind_ja}の中に選択したVPCに属さないものがあります。同じVPCのサブネットを選んでください。",
            ),
        )
        _add(
            template,
            f"{kind}SubnetsAreInTheZones",
            {
                "Fn::EachMemberIn": [
                    _value_of(subnets, "AvailabilityZone"),
                    _ref(p.availability_zones),
                ]
            },
            Text(
                f"A subnet of {subnets.title} is in a zone that {p.availability_zones.title} does not "
                "name: add its zone, or choose another subnet.",
                f"{kind_ja}のゾーンが{p.availability_zones.title}に含まれていません。ゾーンを追加するか別のサブネットを選んでください。",
            ),
        )
        _add(
            template,
            f"{kind}SubnetsAreInTwoZones",
            _all_of(
                [
                    _not({"Fn::EachMemberEquals": [_value_of(subnets, "AvailabilityZone"), zone]})
                    for zone in ZONES
                ]
            ),
            Text(
                f"All subnets of {subnets.title} are in one zone: choose two or more, each in another "
                "Availability Zone.",
                f"{kind_ja}がすべて同じゾーンにあります。異なるアベイラビリティーゾーンから2つ以上選んでください。",
            ),
        )
    for cpu, sizes in fargate.MEMORY_MIB.items():
        memories = [str(mib) for mib in sizes]
        _add(
            template,
            f"MemoryFits{cpu}CpuUnits",
            _contains(memories, _ref(p.task_memory_limit)),
            Text(
                f"With {p.task_cpu.title} {cpu}, {p.task_memory_limit.title} must be one of "
                f"{', '.join(memories)} MiB.",
                f"{p.task_cpu.title}が{cpu}の場合、{p.task_memory_limit.title}は {', '.join(memories)} MiBのいずれかにしてください。",
            ),
            when=_equals(_ref(p.task_cpu), str(cpu)),
        )
    for count in COUNTS[1:]:
        _add(
            template,
            f"ServersAtMostIsNotBelow{count}",
            _not(_contains([str(n) for n in COUNTS if n < count], _ref(p.autoscale_max_capacity))),
            Text(
                f"{p.autoscale_max_capacity.title} must be at least {p.task_desired_count.title} "
                f"({count}).",
                f"{p.autoscale_max_capacity.title}は{p.task_desired_count.title}（{count}）以上にしてください。",
            ),
            when=_equals(_ref(p.task_desired_count), str(count)),
        )
    _add(
        template,
        "FixedAddressesArePublic",
        _equals(_ref(p.load_balancer_scheme), "internet-facing"),
        Text(
            f"{p.elastic_ips.title} needs {p.load_balancer_scheme.title} internet-facing.",
            f"{p.elastic_ips.title}をtrueにするには{p.load_balancer_scheme.title}をinternet-facingにしてください。",
        ),
        when=_equals(_ref(p.elastic_ips), "true"),
    )
    _add(
        template,
        "OneEndOfTLS",
        _equals(_ref(p.receiver_tls_secret_arn), ""),
        Text(
            f"Choose either {p.tls_certificate_arn.title} (the load balancer ends TLS) or "
            f"{p.receiver_tls_secret_arn.title} (the servers do), not both.",
            f"{p.tls_certificate_arn.title}（ロードバランサーがTLSを終端）と{p.receiver_tls_secret_arn.title}（サーバーがTLSを終端）は同時に指定できません。",
        ),
        when=_not(_equals(_ref(p.tls_certificate_arn), "")),
    )
    _add(
        template,
        "BoundAETitlesNeedCertificates",
        _not(_equals(_ref(p.receiver_tls_secret_arn), "")),
        Text(
            f"{p.bind_ae_title_to_certificate.title} needs {p.receiver_tls_secret_arn.title}: without it no "
            "device shows a certificate.",
            f"{p.bind_ae_title_to_certificate.title}をtrueにするには{p.receiver_tls_secret_arn.title}を指定してください。",
        ),
        when=_equals(_ref(p.bind_ae_title_to_certificate), "true"),
    )
    _add(
        template,
        "OneKeyForTheData",
        _equals(_ref(p.kms_key_arn), ""),
        Text(
            f"Choose either {p.create_kms_key.title} or {p.kms_key_arn.title}, not both.",
            f"{p.create_kms_key.title}と{p.kms_key_arn.title}は同時に指定できません。",
        ),
        when=_equals(_ref(p.create_kms_key), "true"),
    )
    # S3 would leave out what a key of this Region encrypts, without a word.
    _add(
        template,
        "CopiesNeedS3sOwnEncryption",
        {
            "Fn::And": [
                _equals(_ref(p.kms_key_arn), ""),
                _equals(_ref(p.create_kms_key), "false"),
            ]
        },
        Text(
            f"{p.replica_bucket_arn.title} cannot be combined with a KMS key yet: leave one of them out.",
            f"{p.replica_bucket_arn.title}はKMSキーと併用できません。どちらかを外してください。",
        ),
        when=_not(_equals(_ref(p.replica_bucket_arn), "")),
    )


def _add(
    template: Template,
    name: str,
    assertion: Expression,
    sentence: Text,
    *,
    when: Expression | None = None,
) -> None:
    rule: dict[str, Any] = {} if when is None else {"RuleCondition": when}
    rule["Assertions"] = [{"Assert": assertion, "AssertDescription": str(sentence)}]
    template.add_rule(name, rule)


def _ref(parameter: Parameter) -> Expression:
    return {"Ref": parameter.title}


def _value_of(parameter: Parameter, attribute: str) -> Expression:
    return {"Fn::ValueOf": [parameter.title, attribute]}


def _equals(one: Expression, other: str) -> Expression:
    return {"Fn::Equals": [one, other]}


def _contains(values: list[str], one: Expression) -> Expression:
    return {"Fn::Contains": [values, one]}


def _not(expression: Expression) -> Expression:
    return {"Fn::Not": [expression]}


def _all_of(expressions: list[Expression]) -> Expression:
    groups = [expressions[n : n + _AND_LIMIT] for n in range(0, len(expressions), _AND_LIMIT)]
    return {"Fn::And": [{"Fn::And": group} for group in groups]}
