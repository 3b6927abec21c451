"""P1 to P31: each weakness with its probe, and what the two targets need for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.pnd_regress import probes_protocol as protocol
from tests.pnd_regress import probes_size as size
from tests.pnd_regress import probes_time as timing
from tests.pnd_regress.bare_scp import BareOptions
from tests.pnd_regress.target import Target
from tests.receiver.sinks.fake_s3 import Behaviour, Handler, behave, refusing

PYNETDICOM = BareOptions()
"""Its defaults."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weakness:
    """A weakness of bare pynetdicom 3.0.4.

    Attributes:
        number: As in P1.
        probe: Raises WeaknessError where it is.
        bare: Options of the bare SCP.
        settings: Of the receiver; with none it shares one with others.
        slow: It waits more than it works: both its parts go on beside the others; needs settings.
        hooks: Names of hooks whose file is made for it, or values (see hooks/sitecustomize.py).
        tls: Both speak TLS.
        storage: What S3, in which the receiver then stores, answers to the first requests.
        writes: The bare SCP's handler writes files.
    """

    number: int
    probe: Callable[[Target], None]
    bare: BareOptions = PYNETDICOM
    settings: dict[str, object] = field(default_factory=dict)
    slow: bool = False
    hooks: dict[str, str] = field(default_factory=dict)
    tls: bool = False
    storage: tuple[Behaviour, ...] = ()
    writes: bool = False

    @property
    def id(self) -> str:
        """What pytest calls it."""
        return f"P{self.number} {self.probe.__name__.replace('_', ' ')}"


def after(seconds: float, behaviour: Behaviour) -> Behaviour:
    """Return a storage's answer that takes its time."""

    def behave_late(handler: Handler, body: bytes) -> None:
        time.sleep(seconds)
        behaviour(handler, body)

    return behave_late


OWN: dict[str, object] = {"WORKERS": 1}
"""Settings that give a probe a receiver of its own."""
IMPATIENT = BareOptions(acse_timeout=2, network_timeout=2)
FILE = "file"
"""Stands for a path of its own in `hooks`."""

WEAKNESSES = (
    Weakness(
        number=1, probe=timing.a_silent_peer_is_closed, bare=IMPATIENT, settings=OWN, slow=True
    ),
    Weakness(
        number=2,
        probe=timing.a_silent_peer_costs_nothing_afterwards,
        bare=IMPATIENT,
        settings=OWN,
        slow=True,
    ),
    Weakness(
        number=3,
        probe=protocol.unnegotiated_connections_take_no_place,
        bare=BareOptions(maximum_associations=3),
        settings={"MAXIMUM_ASSOCIATIONS": 3, "WORKERS": 1},
    ),
    Weakness(
        number=4,
        probe=timing.a_stalled_handshake_blocks_nobody,
        tls=True,
        settings={"WORKERS": 1},
        slow=True,
    ),
    Weakness(number=5, probe=size.a_length_is_checked_before_it_is_read),
    Weakness(number=6, probe=size.a_giant_is_not_held_in_memory),
    Weakness(
        number=7,
        probe=size.who_does_not_wait_is_made_to,
        bare=BareOptions(handler_s=0.1),
        settings=OWN,
        storage=(after(0.1, behave),) * 100,
    ),
    Weakness(
        number=8,
        probe=size.an_aborted_instance_leaves_no_file,
        bare=BareOptions(chunked=True),
        settings=OWN,
        slow=True,
    ),
    Weakness(
        number=9,
        probe=size.an_acknowledged_instance_is_durable,
        writes=True,
        settings=OWN,
        hooks={"PROBE_FSYNC_LOG": FILE},
    ),
    Weakness(
        number=10,
        probe=protocol.a_broken_storage_is_out_of_resources,
        settings=OWN,
        writes=True,
    ),
    Weakness(
        number=11,
        probe=timing.a_slow_store_is_not_idleness,
        bare=BareOptions(network_timeout=1, handler_s=2.5),
        settings={"NETWORK_TIMEOUT": 10, "WORKERS": 1},
        # 12 s for one instance, more than the association may be idle.
        storage=(after(6, refusing(503, "SlowDown")), after(6, behave)),
        slow=True,
    ),
    Weakness(number=12, probe=protocol.a_malformed_message_is_answered),
    Weakness(number=13, probe=timing.an_aborted_peer_is_closed, bare=BareOptions(acse_timeout=1)),
    Weakness(number=14, probe=protocol.a_message_agrees_with_its_context),
    Weakness(number=15, probe=protocol.a_bad_uid_costs_one_instance),
    Weakness(number=16, probe=protocol.a_bad_title_is_rejected),
    Weakness(
        number=17, probe=protocol.an_invented_syntax_is_refused, bare=BareOptions(unrestricted=True)
    ),
    Weakness(number=18, probe=size.a_deflated_bomb_does_not_burst, bare=BareOptions(decode=True)),
    Weakness(
        number=19,
        probe=timing.idle_associations_cost_no_processor,
        bare=BareOptions(maximum_associations=100),
        settings=OWN,
    ),
    Weakness(number=20, probe=size.associations_share_no_interpreter),
    Weakness(
        number=21,
        probe=size.descriptors_may_have_large_numbers,
        settings=OWN,
        hooks={"PROBE_DESCRIPTORS": "1100"},
    ),
    Weakness(number=22, probe=size.an_association_costs_one_thread),
    Weakness(number=23, probe=timing.a_backlog_of_connections_is_taken),
    Weakness(number=24, probe=timing.a_vanished_peer_is_probed),
    Weakness(number=25, probe=size.checks_of_the_port_cost_nothing, settings=OWN),
    Weakness(
        number=26,
        probe=size.a_reset_frees_the_descriptor,
        bare=BareOptions(maximum_associations=100),
        settings=OWN,
        slow=True,
    ),
    Weakness(
        number=27,
        probe=timing.the_wall_clock_may_step,
        settings=OWN,
        hooks={"PROBE_CLOCK": FILE},
    ),
    Weakness(number=28, probe=timing.an_instance_in_hand_is_finished, settings=OWN),
    Weakness(number=29, probe=protocol.no_value_is_quoted, bare=BareOptions(decode=True)),
    Weakness(number=30, probe=protocol.a_dying_thread_is_logged),
    Weakness(
        number=31,
        probe=protocol.a_context_without_syntax_leaks_nothing,
        bare=BareOptions(maximum_associations=100),
        settings=OWN,
        slow=True,
    ),
)
