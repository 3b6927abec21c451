"""The service-linked roles by which AWS services work for the stack."""

from __future__ import annotations

from collections.abc import Iterator

from importer.preflight.facts import RoleState
from importer.preflight.problems import Problem, warning

ROLES = {
    "ecs.amazonaws.com": "AWSServiceRoleForECS",
    "elasticloadbalancing.amazonaws.com": "AWSServiceRoleForElasticLoadBalancing",
    "ecs.application-autoscaling.amazonaws.com": "AWSServiceRoleForApplicationAutoScaling_ECSService",
}
"""Role by service; an account that never used the service has none, and the first stack in it may fail."""


def check_role(state: RoleState) -> Iterator[Problem]:
    """Say what could not be made. Not a fault: who launches the stack may be allowed what this is not."""
    if state.error:
        yield warning(
            en=f"The service-linked role {state.role} is missing and could not be made ({state.error}); if "
            f"the stack fails, run: aws iam create-service-linked-role --aws-service-name {state.service}",
            ja=f"サービスにリンクされたロール{state.role}がなく作成もできなかった（{state.error}）ため、スタックが失敗した場合は"
            f"次を実行してください: aws iam create-service-linked-role --aws-service-name {state.service}",
        )
