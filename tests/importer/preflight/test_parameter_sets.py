"""Parameter sets that only a look at the account can refuse, from the form to the sentence.

Each is typed into the form as a hospital would, the template makes the custom resource's properties of it, and
the function answers on the emulated services. What form and rules refuse is in tests/template_gen.
"""

from __future__ import annotations

from typing import Any

import pytest

from importer.preflight.properties import IMAGE, Properties
from tests.importer.preflight.conftest import Account
from tests.importer.preflight.hospital import Hospital, build_hospital
from tests.importer.preflight.test_handler import FAULTS, answer_to
from tests.template_gen.rendering import document, rendered

OWN_IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/storescp:1.0.0"
WHOLE = {
    "SCPPort": "11112.5",
    "DIMSETimeout": "60.5",
    "NetworkTimeout": "9e1",
    "MaximumAssociations": "1.5",
    "MaximumAssociationsPerAETitle": "0.5",
    "MaximumAssociationsPerAddress": "1e2",
    "ExpireImportedAfterDays": "+30",
}
"""What CloudFormation's type Number takes, and no server could start with."""


@pytest.fixture
def hospital(account: Account) -> Hospital:
    return build_hospital(account.client("ec2"))


def typed(properties: dict[str, Any]) -> dict[str, str]:
    """Return the form's fields that make these properties of the custom resource."""
    declared = document()["Parameters"]
    fields = {name: value for name, value in properties.items() if name in declared}
    return {
        name: ",".join(value) if isinstance(value, list) else value
        for name, value in fields.items()
    }


def answer_of_a_stack(parameters: dict[str, str]) -> dict[str, Any]:
    """Return Preflight's answer on a stack with these parameters."""
    resources = rendered(**{IMAGE: OWN_IMAGE, **parameters})["Resources"]
    return answer_to(resources["Preflight"]["Properties"])


def test_a_good_set_goes_on(hospital: Hospital) -> None:
    """The template binds what the function reads."""
    answer = answer_of_a_stack(typed(hospital.properties))

    assert answer["Status"] == "SUCCESS", answer["Reason"]


@pytest.mark.parametrize("spoil", FAULTS, ids=lambda spoil: spoil.__name__)
def test_a_bad_set_is_refused_with_preflights_sentence(
    spoil: Any, account: Account, hospital: Hospital
) -> None:
    """In English and Japanese, as the reason in the stack's events."""
    english, japanese = FAULTS[spoil]
    answer = answer_of_a_stack(typed(hospital.properties | spoil(account, hospital)))

    assert answer["Status"] == "FAILED"
    assert english in answer["Reason"]
    assert japanese in answer["Reason"]
    assert not answer["Reason"].startswith("(1)"), answer["Reason"]


def test_a_fraction_is_refused(hospital: Hospital) -> None:
    """Also another way to write a number that the receiver would not read."""
    given = [f"{name}={value}" for name, value in WHOLE.items()]
    reason = answer_to(hospital.properties | {"WholeNumbers": [*given, "TaskDesiredCount=1"]})[
        "Reason"
    ]

    for name, value in WHOLE.items():
        assert f"{name}: {value} is not a whole number" in reason
        assert f"{name}の値（{value}）が整数ではない" in reason
    assert "TaskDesiredCount" not in reason


def test_every_number_of_the_form_is_checked() -> None:
    """All that is no choice from a list; the template names them by itself."""
    parameters = document()["Parameters"]
    read = Properties.of(rendered()["Resources"]["Preflight"]["Properties"]).whole_numbers

    assert {one.partition("=")[0] for one in read} == {
        name for name, p in parameters.items() if p["Type"] == "Number" and "AllowedValues" not in p
    }
    assert WHOLE.keys() == {one.partition("=")[0] for one in read}, "give it a row in WHOLE"
