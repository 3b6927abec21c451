"""Where the faults are acted out: one whole product, and receivers beside its own for single acts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from local.template import REGION
from tests.builders import CT_IMAGE, EXPLICIT_LITTLE, Instance
from tests.deadline import wait_until
from tests.harness.oracle import Content, World
from tests.harness.rules import Rule
from tests.harness.site import Site
from tests.raw_scu import SUCCESS, RawAssociation, RejectedError
from tests.receiver_process import ReceiverProcess, environment_for

LATER_S = 8 * 3600
"""Past every lease and past the closing of an hour."""
REST_S = 90.0
SITE = {
    "BATCH_AGE": 5,
    "BATCH_IDLE": 1,
    "WORKERS": 1,
    "SCHEDULE_INTERVAL": 3,
    "REANNOUNCE_AFTER": 5,
    "POLL_AFTER": 5,
    "HEALTHIMAGING_FAULTS": '{"jobSeconds": 0.2}',
}
RECEIVER = {"WORKERS": 1, "BATCH_AGE": 5, "BATCH_IDLE": 1, "DIMSE_TIMEOUT": 10, "STOP_TIMEOUT": 20}


@dataclass(slots=True)
class Notes:
    """What the senders of one fault offered, and what was promised to them."""

    offered: set[Content] = field(default_factory=set)
    acked: set[Content] = field(default_factory=set)

    def store(self, port: int, instance: Instance) -> int | None:
        """Send an instance on an association of its own; return its status, None if it broke."""
        try:
            with RawAssociation(port, [(CT_IMAGE, EXPLICIT_LITTLE)]) as association:
                return self.store_on(association, instance)
        except (ConnectionError, RejectedError):
            return None

    def store_on(self, association: RawAssociation, instance: Instance) -> int:
        """Send an instance on an open association and return its status."""
        content = instance.sop_instance_uid, instance.sha256()
        self.offered.add(content)
        status = association.store(instance)
        if status == SUCCESS:
            self.acked.add(content)
        return status

    def store_at_last(self, port: int, instance: Instance) -> None:
        """Send it as a modality does: again and again until it is acknowledged."""
        wait_until(lambda: self.store(port, instance) == SUCCESS, "Success", within_s=60)


class Stage:
    """A running product and the notes of every act, by the fault's name."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.notes: dict[str, Notes] = defaultdict(Notes)

    @contextmanager
    def hurt(self, *rules: Rule) -> Iterator[None]:
        """Put rules in force for a while."""
        self.site.set_rules(rules)
        try:
            yield
        finally:
            self.site.set_rules(())

    @contextmanager
    def receiver(self, **settings: object) -> Iterator[ReceiverProcess]:
        """Run a receiver beside the product's own, into the same bucket; stopped with all checks."""
        with self.mortal_receiver(**settings) as receiver:
            yield receiver
            receiver.stop()

    @contextmanager
    def mortal_receiver(self, **settings: object) -> Iterator[ReceiverProcess]:
        """Run a receiver that may end in any way."""
        receiver = ReceiverProcess(environment_for(Path("/"), **self.settings(**settings)))
        try:
            yield receiver
        finally:
            if receiver.is_running:
                receiver.kill()

    def settings(self, **settings: object) -> dict[str, object]:
        """Return a receiver's settings for the product's bucket."""
        return {
            **RECEIVER,
            "LANDING_URL": f"s3://{self.site.bucket}",
            "AWS_ENDPOINT_URL": self.site.aws_url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            **settings,
        }

    @cached_property
    def world(self) -> World:
        """Everything, at rest: when Sweep, hours later, finds nothing more to do."""

        def is_at_rest() -> bool:
            return not self.site.sweep_later(LATER_S) and self.site.in_flight() == 0

        wait_until(is_at_rest, "rest", within_s=REST_S)
        return self.site.world()

    @property
    def offered(self) -> set[Content]:
        """What all senders offered."""
        return set().union(*(notes.offered for notes in self.notes.values()))
