"""What a tool finds, and what is waived."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase


class ScanError(Exception):
    """A tool cannot be had or did not work; the message says why."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A check that failed.

    Attributes:
        check: The tool's name of it.
        resource: Logical ID.
        says: What the tool says about it, for the person who reads.
    """

    check: str
    resource: str
    says: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Waiver:
    """Checks that may fail, for which resources (fnmatch patterns), and why."""

    checks: tuple[str, ...]
    resources: tuple[str, ...]
    reason: str

    def covers(self, finding: Finding) -> bool:
        """Tell whether a finding is waived by this."""
        return finding.check in self.checks and any(
            fnmatchcase(finding.resource, pattern) for pattern in self.resources
        )


def unwaived(findings: Iterable[Finding], waivers: Sequence[Waiver]) -> list[Finding]:
    """Return the findings that no waiver covers."""
    return sorted({f for f in findings if not any(waiver.covers(f) for waiver in waivers)})


def idle(findings: Iterable[Finding], waivers: Iterable[Waiver]) -> list[str]:
    """Return each check and resource that is waived and not found: what is mended needs no waiver."""
    found = list(findings)
    return [
        f"{check} {pattern}"
        for waiver in waivers
        for check in waiver.checks
        for pattern in waiver.resources
        if not any(f.check == check and fnmatchcase(f.resource, pattern) for f in found)
    ]
