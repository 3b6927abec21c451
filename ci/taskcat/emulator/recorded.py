"""Resource types that the emulator's CloudFormation does not know.

It passes over such a type without a word. Here each is named: it gets a physical id and is listed with the stack,
and that is all. A type that is named neither there nor here fails the stack.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from moto.cloudformation import parsing
from moto.core.common_models import CloudFormationModel

from ci.taskcat.emulator.mending import mend

RECORDED = (
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::CloudWatch::Alarm",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
)
"""What these would do, nobody does: their properties are held by the tests of the rendered template."""


class UnknownTypeError(Exception):
    """A template has a resource of a type that has no meaning here."""


class _Recorded(CloudFormationModel):
    kind: ClassVar[str]

    def __init__(self, name: str, arn: str) -> None:
        self.physical_resource_id = name
        self.arn = arn

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr == "Arn"

    @classmethod
    def create_from_cloudformation_json(cls, *arguments: Any, **_more: Any) -> _Recorded:
        name, _, account_id, region = arguments
        service = cls.kind.split("::")[1].lower()
        return cls(name, f"arn:aws:{service}:{region}:{account_id}:{name}")

    def is_created(self) -> bool:
        return True

    def get_cfn_attribute(self, attribute: str) -> str:
        if attribute != "Arn":
            raise UnknownTypeError(f"{self.kind} has no {attribute} here")
        return self.arn

    def delete(self, _account_id: str, _region: str) -> None:
        pass


_MODELS: dict[str, Any] = {
    kind: type(kind.replace("::", ""), (_Recorded,), {"kind": kind}) for kind in RECORDED
}


def install() -> None:
    """Let stacks have these types, and no other unknown ones."""
    parsing.get_model_map().update(_MODELS)
    mend(parsing, "resource_class_from_type", _known)


def _known(find: Callable[[str], Any]) -> Callable[[str], Any]:
    def found(kind: str) -> Any:
        model = find(kind)
        if model is None:
            raise UnknownTypeError(f"{kind} has no meaning here")
        return model

    return found
