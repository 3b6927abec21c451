from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from importer.preflight.facts import Certificate, Network, Quota, RoleState
from importer.preflight.gathering import Time
from importer.preflight.ports import Sources
from importer.preflight.properties import Properties
from importer.preflight.request import Request
from importer.preflight.service import examine
from importer.preflight.verdict import Verdict
from tests.importer.preflight.builders import CERTIFICATE, GOOD, NETWORK, STACK_ARN

PROPERTIES = {
    "VpcID": "vpc-1",
    "PublicSubnetIDs": ["pub-a", "pub-b"],
    "PrivateSubnetIDs": ["pri-a", "pri-b"],
    "AvailabilityZones": ["eu-west-1a", "eu-west-1b"],
    "SecurityGroupID": "sg-1",
    "VpcCIDR": "10.0.0.0/16",
    "TaskCPU": "1024",
    "TaskDesiredCount": "1",
    "AutoscaleMaxCapacity": "3",
    "ImageURI": GOOD.image,
    "TLSCertificateARN": CERTIFICATE,
}


@dataclass
class FakeAccount:
    """An account whose certificate has expired and whose stack is in some status."""

    status: str = "UPDATE_IN_PROGRESS"
    certificate_status: str = "EXPIRED"
    asked: int = 0
    without: dict[str, Callable[[], Any]] = field(default_factory=dict)

    def sources(self) -> Sources:
        """Return sources that answer for it."""
        sources = Sources(
            network=self._me,
            certificates=self._me,
            keys=self._me,
            datastores=FakeDatastores,
            quotas=self._me,
            load_balancers=self._me,
            roles=self._me,
            stacks=lambda: FakeStacks(self.status),
        )
        return replace(sources, **self.without)

    def _me(self) -> Any:
        self.asked += 1
        return self

    def network(self, _: Properties) -> Network:
        """The network in which nothing is wrong."""
        return NETWORK

    def addresses_in_use(self) -> int:
        """None."""
        return 0

    def certificate(self, _: str) -> Certificate:
        """The certificate."""
        return Certificate(
            status=self.certificate_status, key_algorithm="RSA_2048", not_after=None, renews=True
        )

    def value(self, _: Quota) -> float:
        """Enough of everything but load balancers."""
        return 5.0

    def network_load_balancers(self) -> int:
        """As many as allowed."""
        return 5

    def ensure(self, service: str, role: str) -> RoleState:
        """Every role is there."""
        return RoleState(service, role)


class FakeDatastores:
    """No data store."""

    def status(self, _: str) -> None:
        """None of that id."""

    def active_count(self) -> int:
        """None."""
        return 0


@dataclass
class FakeStacks:
    """A stack in a status; without one its question fails."""

    state: str

    def status(self, _: str) -> str:
        """Return it."""
        if not self.state:
            raise PermissionError
        return self.state


def judged(account: FakeAccount, kind: str, within_s: float = 20, **changed: str) -> Verdict:
    """Return the verdict on a request whose properties were `changed` from the usual ones."""
    request = Request.of(
        {
            "RequestType": kind,
            "ResponseURL": "x",
            "StackId": STACK_ARN,
            "ResourceProperties": PROPERTIES | changed,
            "OldResourceProperties": PROPERTIES if kind == "Update" else {},
        }
    )
    limit = Time(clock=time.monotonic, sleep=time.sleep, until=time.monotonic() + within_s)
    return examine(request, account.sources(), limit, datetime.now(UTC))


def parameters_of(verdict: Verdict) -> list[tuple[str, ...]]:
    return [problem.parameters for problem in verdict.stopping]


def test_new_stack_is_stopped_by_each_fault() -> None:
    """The certificate and the full quota of load balancers."""
    assert [("TLSCertificateARN",), ("PublicSubnetIDs",)] == parameters_of(
        judged(FakeAccount(), "Create")
    )


def test_update_is_not_stopped_by_what_it_does_not_change() -> None:
    """An expired certificate must not stand in the way of more servers; it is said."""
    verdict = judged(FakeAccount(), "Update", TaskDesiredCount="2")

    assert verdict.stopping == ()
    assert [("TLSCertificateARN",)] == [problem.parameters for problem in verdict.said]


def test_update_is_stopped_by_what_it_changes() -> None:
    """A new certificate that is not issued."""
    verdict = judged(FakeAccount(), "Update", TLSCertificateARN=CERTIFICATE + "2")

    assert [("TLSCertificateARN",)] == parameters_of(verdict)


def test_update_counts_no_resource_of_its_own() -> None:
    """The stack's load balancer is one of those that fill the quota."""
    account = FakeAccount(certificate_status="ISSUED")

    assert judged(account, "Update", PublicSubnetIDs="pub-a,pub-b") == Verdict(notes={})


@pytest.mark.parametrize(
    "status", ["UPDATE_ROLLBACK_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"]
)
def test_rollback_is_never_stopped(status: str) -> None:
    """Whatever is wrong with the old values: to refuse them would leave the stack stuck."""
    account = FakeAccount(status=status)
    verdict = judged(account, "Update", TLSCertificateARN=CERTIFICATE + "2")

    assert verdict == Verdict(notes={"stack status": status})
    assert account.asked == 0


def test_update_of_unknown_status_is_not_stopped() -> None:
    """It may be a rollback; the problem is said."""
    verdict = judged(FakeAccount(status=""), "Update", TLSCertificateARN=CERTIFICATE + "2")

    assert verdict.stopping == ()
    assert len(verdict.said) == 1
    assert verdict.notes == {"stack status": "PermissionError"}


@pytest.mark.parametrize("kind", ["Delete", "", "Import"])
def test_other_requests_are_let_through(kind: str) -> None:
    """Without a question to anybody."""
    account = FakeAccount()

    assert judged(account, kind) == Verdict(notes={})
    assert account.asked == 0


@pytest.mark.parametrize("broken", ["network", "certificates", "quotas", "roles"])
def test_one_broken_source_spoils_no_other_check(broken: str) -> None:
    """What can be found is found; what cannot is named."""

    def fail() -> Any:
        raise ConnectionError

    verdict = judged(FakeAccount(without={broken: fail}), "Create")

    assert set(verdict.notes.values()) == {"ConnectionError"}
    assert bool(verdict.stopping) is True


def test_whole_preflight_ends_in_time() -> None:
    """A service that never answers costs the time that there is and no more."""
    account = FakeAccount(without={"roles": lambda: time.sleep(3_600)})
    began = time.monotonic()
    verdict = judged(account, "Create", within_s=0.5)

    assert time.monotonic() - began < 10
    assert {"no answer in time"} == set(verdict.notes.values())
    assert len(verdict.stopping) == 2


def test_lists_are_read_in_both_forms() -> None:
    """A list parameter arrives as a list; one that was joined, as a string."""
    one = Properties.of({"PublicSubnetIDs": ["a", " b", ""], "PrivateRouteTableIDs": [""]})
    other = Properties.of({"PublicSubnetIDs": "a, b,", "PrivateRouteTableIDs": ""})

    assert one == other == Properties(public_subnets=("a", "b"))
