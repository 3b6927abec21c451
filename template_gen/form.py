"""The console's form: parameters with group, label and description, in the order they are added."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from troposphere import Parameter, Template

from contract.settings import EnvSettings
from contract.text import Text

__all__ = ["INTERFACE", "Form", "Group", "Text", "as_text", "from_setting"]

INTERFACE = "AWS::CloudFormation::Interface"
_LISTED = 8
"""A longer list is said by its ends."""


class Group(Enum):
    """The form's groups, in the guide's order."""

    NETWORK = Text("Network", "ネットワーク設定")
    DICOM = Text("DICOM", "DICOM設定")
    PERFORMANCE = Text("Performance (optional)", "パフォーマンス設定（任意）")
    SECURITY = Text("Security (optional)", "セキュリティ設定（任意）")
    DICOM_DETAILS = Text("DICOM details (optional)", "DICOM詳細設定（任意）")
    COMMITMENT = Text("Storage commitment (optional)", "ストレージコミットメント設定（任意）")
    NETWORK_OPTIONS = Text("Network options (optional)", "ネットワークの追加設定（任意）")
    SENDERS = Text("Senders: limits and certificates (optional)", "送信元の上限と証明書（任意）")
    DATA = Text("Data (optional)", "データ設定（任意）")
    MONITORING = Text("Monitoring (optional)", "監視設定（任意）")
    ADVANCED = Text(
        "Advanced: leave as they are unless support asks for it (optional)",
        "上級者向け（任意・通常は変更不要）",
    )


class Form:
    """Adds parameters to a template and computes the form's metadata from them."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self._groups: dict[Group, list[str]] = {group: [] for group in Group}
        self._labels: dict[str, Text] = {}

    def add(
        self,
        name: str,
        kind: str,
        *,
        group: Group,
        label: Text,
        doc: Text,
        constraint: Text | None = None,
        **attributes: Any,
    ) -> Parameter:
        """Add one parameter.

        Args:
            name: CloudFormation's name of it.
            kind: CloudFormation's type.
            group: Where the form shows it.
            label: What the form calls it.
            doc: What it means and what to type.
            constraint: What to do when its value is refused; said of limits and short lists by itself.
            attributes: CloudFormation's own: Default, AllowedPattern, ...
        """
        constraint = constraint or _usual_constraint(attributes)
        if constraint is not None:
            attributes["ConstraintDescription"] = str(constraint)
        parameter = Parameter(name, Type=kind, Description=str(doc), **attributes)
        self._template.add_parameter(parameter)
        self._groups[group].append(name)
        self._labels[name] = label
        return parameter

    def publish(self) -> None:
        """Write the metadata that the console reads."""
        self._template.set_metadata(
            {
                INTERFACE: {
                    "ParameterGroups": [
                        {"Label": {"default": str(group.value)}, "Parameters": names}
                        for group, names in self._groups.items()
                        if names
                    ],
                    "ParameterLabels": {
                        name: {"default": str(label)} for name, label in self._labels.items()
                    },
                }
            }
        )


def _usual_constraint(attributes: Mapping[str, Any]) -> Text | None:
    if "MinValue" in attributes:
        least, most = attributes["MinValue"], attributes["MaxValue"]
        return Text(
            f"Type a whole number from {least} to {most}.",
            f"{least}～{most}の整数を入力してください。",
        )
    if "AllowedValues" in attributes:
        allowed = attributes["AllowedValues"]
        if len(allowed) > _LISTED:
            least, most = allowed[0], allowed[-1]
            return Text(f"Choose {least} to {most}.", f"{least}～{most}から選んでください。")
        values = ", ".join(allowed)
        return Text(f"Choose one of {values}.", f"{values} から選んでください。")
    return None


def from_setting(settings: type[EnvSettings], name: str) -> dict[str, Any]:
    """Return type, default, limits and description of a parameter that sets `name` of a process.

    The process owns them; the form only shows them.
    """
    spec = settings.specs()[name]
    default = settings.defaults()[name]
    found: dict[str, Any] = {"doc": Text(spec.doc, spec.doc_ja), "Default": as_text(default)}
    if isinstance(default, bool):
        return found | {"kind": "String", "AllowedValues": ["true", "false"]}
    if isinstance(default, int):
        return found | {"kind": "Number", "MinValue": spec.minimum, "MaxValue": spec.maximum}
    found["kind"] = "String"
    if spec.choices:
        found["AllowedValues"] = list(spec.choices)
    elif spec.pattern is not None:
        # A setting whose default is empty may be left empty.
        found["AllowedPattern"] = f"^({spec.pattern}){'?' if not default else ''}$"
    return found


def as_text(value: object) -> str:
    """Return a setting's value as its environment variable and its parameter's default spell it.

    Numbers too: a parameter's default that is a JSON number is a different key to Fn::FindInMap than
    the same number typed into the form.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value)
    return str(value)
