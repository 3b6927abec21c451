"""The template as text: JSON in a reader's order, the same bytes on every build."""

from __future__ import annotations

import json

from troposphere import Template

_SECTIONS = (
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Rules",
    "Mappings",
    "Conditions",
    "Resources",
    "Outputs",
)


def render(template: Template) -> str:
    """Return the document, ended by a newline.

    Keys keep the order in which they were added, so that the file reads as its sources do: sorting would
    tear the parameters out of the guide's order.
    """
    sections = template.to_dict()
    unknown = sections.keys() - set(_SECTIONS)
    if unknown:
        raise ValueError(f"sections without a place: {sorted(unknown)}")
    ordered = {name: sections[name] for name in _SECTIONS if name in sections}
    return json.dumps(ordered, indent=1, ensure_ascii=False) + "\n"
