"""Whether each address range makes one rule: a security group takes the same rule once.

EC2 compares ranges with their host bits cleared (EC2 API reference, AuthorizeSecurityGroupIngress), and an update
makes new rules before it removes old ones (CloudFormation user guide, "Update behaviors of stack resources"): a
range that moves to another parameter, or is written otherwise, fails, or is left without its rule in silence.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from importer.preflight.problems import Problem, fault
from importer.preflight.properties import (
    PEER_CIDR_1,
    PEER_CIDR_2,
    PEER_CIDR_3,
    VPC_CIDR,
    Properties,
)


def check_ranges(p: Properties, previous: Properties | None) -> Iterator[Problem]:
    """Check the ranges against each other, and on an update against where each was before."""
    rules = _rules(p)
    first: dict[str, str] = {}
    for name, text in rules.items():
        network = _network(text)
        if network in first:
            kept = first[network]
            yield fault(
                name,
                kept,
                en=f"{name} {text} is the range {network} of {kept}, and a security group takes a range once; "
                f"leave {name} empty.",
                ja=f"{name}の{text}は{kept}と同じ範囲（{network}）で、セキュリティグループに同じ範囲は登録できないため、"
                f"{name}を空にしてください。",
            )
        else:
            first[network] = name
    if previous is not None:
        yield from _moved(rules, _rules(previous))


def _moved(rules: dict[str, str], before: dict[str, str]) -> Iterator[Problem]:
    """Find new rules that are there already, under another name or written otherwise."""
    owners = {_network(text): name for name, text in before.items()}
    for name, text in rules.items():
        owner = owners.get(_network(text))
        if owner is not None and before.get(name) != text:
            yield fault(
                name,
                owner,
                en=f"{name} {text} is the range that {owner} had before this update as {before[owner]}; leave it "
                "there (the order has no meaning), or remove it by one update and add it by another.",
                ja=f"{name}の{text}は、この更新の前に{owner}に指定されていた範囲（{before[owner]}）です。"
                "順番に意味はないため元の項目に残すか、削除と追加を2回の更新に分けてください。",
            )


def _rules(p: Properties) -> dict[str, str]:
    """Return what makes a rule, as the template's conditions have it: not empty, and not written before."""
    rules: dict[str, str] = {}
    for name, text in (
        (VPC_CIDR, p.vpc_cidr),
        (PEER_CIDR_1, p.peer_cidr_1),
        (PEER_CIDR_2, p.peer_cidr_2),
        (PEER_CIDR_3, p.peer_cidr_3),
    ):
        if text and text not in rules.values():
            rules[name] = text
    return rules


def _network(text: str) -> str:
    try:
        return str(ipaddress.IPv4Network(text, strict=False))
    except ValueError:
        return text
