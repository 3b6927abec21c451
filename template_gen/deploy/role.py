"""The deploy role: a small stack of its own that an administrator makes once, before the product's."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from awacs.aws import Allow, Condition, PolicyDocument, Principal, Statement, StringEquals
from awacs.sts import AssumeRole
from troposphere import AccountId, AWSHelperFn, GetAtt, Output, Parameter, Ref, Sub, Template
from troposphere.iam import ManagedPolicy, Role

from template_gen.deploy.statements import STACK, launching, policies
from template_gen.form import Text
from template_gen.product import NAME, Release

DEFAULT_STACK_NAME = "storescp"


def build_deploy_template(resources: Mapping[str, Any], release: Release) -> Template:
    """Build the template of the role that may make `resources` and nothing else."""
    template = Template()
    template.set_version("2010-09-09")
    template.set_description(
        f"{NAME} {release.version}: the role by which CloudFormation makes the stack, and the policy for "
        "those who launch it."
    )
    template.add_parameter(
        Parameter(
            "StackName",
            Type="String",
            Default=DEFAULT_STACK_NAME,
            # Small letters, since buckets are named after the stack; short, since names are cut at 64.
            AllowedPattern="^[a-z][a-z0-9-]{0,29}$",
            Description=str(
                Text(
                    "Name that the product's stack will have.",
                    "作成する製品スタックの名前。",
                )
            ),
            ConstraintDescription=str(
                Text(
                    "Type 1 to 30 small letters, digits and hyphens, beginning with a letter.",
                    "英小文字で始まる1～30文字の英小文字・数字・ハイフンで入力してください。",
                )
            ),
        )
    )
    made = [
        template.add_resource(
            ManagedPolicy(
                f"Deploy{name.capitalize()}Policy",
                Description=f"What CloudFormation needs for {NAME}: {name}",
                PolicyDocument=_document(statements),
            )
        )
        for name, statements in policies(resources, release).items()
    ]
    role = template.add_resource(
        Role(
            "DeployRole",
            Description=f"By which CloudFormation makes the stack of {NAME}",
            AssumeRolePolicyDocument=PolicyDocument(
                Version="2012-10-17",
                Statement=[
                    Statement(
                        Effect=Allow,
                        Principal=Principal("Service", "cloudformation.amazonaws.com"),
                        Action=[AssumeRole],
                        Condition=Condition(StringEquals("aws:SourceAccount", AccountId)),
                    )
                ],
            ),
            ManagedPolicyArns=[Ref(policy) for policy in made],
        )
    )
    launch = template.add_resource(
        ManagedPolicy(
            "LaunchPolicy",
            Description=f"For those who launch the stack of {NAME} with the deploy role",
            PolicyDocument=_document(launching(GetAtt(role, "Arn"))),
        )
    )
    template.add_output(
        Output(
            "DeployRoleARN",
            Value=GetAtt(role, "Arn"),
            Description=str(
                Text(
                    "Choose it as the IAM role when the stack is made.",
                    "スタック作成時の「IAMロール」に指定してください。",
                )
            ),
        )
    )
    template.add_output(
        Output(
            "LaunchPolicyARN",
            Value=Ref(launch),
            Description=str(
                Text(
                    "Attach it to who launches the stack.",
                    "スタックを作成するユーザーまたはロールに付与してください。",
                )
            ),
        )
    )
    return template


def policy_text(statements: list[dict[str, Any]], stack_name: str = DEFAULT_STACK_NAME) -> str:
    """Return a policy as IAM's console takes it, for a stack of that name."""
    text = json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=1)
    return text.replace(STACK, stack_name) + "\n"


def _document(statements: list[dict[str, Any]]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [_referring(one) for one in statements]}


def _referring(statement: dict[str, Any]) -> dict[str, Any]:
    return statement | {"Resource": [_reference(one) for one in statement["Resource"]]}


def _reference(resource: Any) -> str | AWSHelperFn:
    if isinstance(resource, str) and re.search(r"\$\{", resource):
        return Sub(resource)
    return resource  # type: ignore[no-any-return]  # a reference already
