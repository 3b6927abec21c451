"""Storage commitment in the template: nothing without an address, and with one no more than it needs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.template_gen.rendering import of_type, render, rendered

PEERS = "CT01=10.0.1.15:104,MR 2=mr.hospital.local:11112"
POLICY = "StorageCommitmentPolicy"
LANDING = "LandingBucket.Arn"
TABLE = "DicomImportJobTable.Arn"
EGRESS = "AWS::EC2::SecurityGroupEgress"


def answer_ranges(**parameters: str) -> list[tuple[str, int, int]]:
    """Return to which networks, from and to which port, the servers may open associations."""
    rules = of_type(render(**parameters), EGRESS).values()
    return [(r["CidrIp"], r["FromPort"], r["ToPort"]) for r in rules if "CidrIp" in r]


def test_without_an_address_nothing_is_granted_or_opened() -> None:
    """The default stack is as if there were no storage commitment."""
    assert POLICY not in render()
    assert answer_ranges() == []


def test_the_receiver_may_do_what_it_needs_to_answer_and_no_more() -> None:
    """The golden policy: no image is read, and of the ledger only leases are written."""
    properties = render(StorageCommitmentPeers=PEERS)[POLICY]["Properties"]
    statements = properties["PolicyDocument"]["Statement"]

    assert properties["Roles"] == ["PacsServerTaskRole"]
    assert [(s["Action"], s["Resource"], s.get("Condition")) for s in statements] == [
        (["s3:PutObject"], [f"{LANDING}/commitments/*"], None),
        (["s3:GetObject"], [f"{LANDING}/batches/*", f"{LANDING}/commitments/*"], None),
        (["s3:ListBucket"], [LANDING], None),
        (["dynamodb:BatchGetItem", "dynamodb:Query"], [TABLE], None),
        (["dynamodb:Query"], [f"{TABLE}/index/ByState"], None),
        (
            ["dynamodb:UpdateItem"],
            [TABLE],
            {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["COMMITMENT#*"]}},
        ),
    ]
    assert {s["Effect"] for s in statements} == {"Allow"}


def test_the_servers_may_call_the_devices_networks() -> None:
    """Those that devices come from, each once, on DICOM's ports; the others stay shut."""
    twice = answer_ranges(
        StorageCommitmentPeers=PEERS,
        VpcCIDR="10.0.0.0/16",
        PeerCIDR1="10.1.0.0/16",
        PeerCIDR2="10.1.0.0/16",
        PeerCIDR3="203.0.113.0/24",
    )

    assert twice == [
        ("10.0.0.0/16", 104, 65535),
        ("10.1.0.0/16", 104, 65535),
        ("203.0.113.0/24", 104, 65535),
    ]
    assert [cidr for cidr, _, _ in answer_ranges(StorageCommitmentPeers=PEERS)] == ["10.0.0.0/16"]


def test_what_is_typed_reaches_the_receiver() -> None:
    """Addresses, when to commit, and where the ledger is."""
    task = render(StorageCommitmentPeers=PEERS, StorageCommitmentWhen="landed")
    container: dict[str, Any] = task["PacsServerTaskDef"]["Properties"]["ContainerDefinitions"][0]
    environment = {pair["Name"]: pair.get("Value", "") for pair in container["Environment"]}

    assert environment["COMMITMENT_PEERS"] == PEERS
    assert environment["COMMITMENT_WHEN"] == "landed"
    assert environment["TABLE_NAME"] == "DicomImportJobTable"


@pytest.mark.parametrize("peers", ["CT01", "CT01=10.0.1.15", "10.0.1.15:104", "CT01=10.0.1.15:x"])
def test_what_is_no_address_is_refused_by_the_form(peers: str) -> None:
    """Before anything is made."""
    with pytest.raises(ValueError, match="StorageCommitmentPeers"):
        rendered(StorageCommitmentPeers=peers)


def test_an_answer_that_cannot_be_delivered_raises_an_alarm() -> None:
    """For three days it was tried."""
    alarm = render()["CommitmentUndeliveredAlarm"]["Properties"]

    assert (alarm["MetricName"], alarm["Threshold"]) == ("CommitmentsUndelivered", 0)
