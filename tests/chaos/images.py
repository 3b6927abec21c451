"""The images of a run: tiny ones mostly, and every kind that ends somewhere else than plainly imported."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tests.builders import Instance, make_instance, new_uid

SMALL_BYTES = (600, 2_500)
LARGE_BYTES = (50_000, 400_000)
GIANT_BYTES = 17_500_000
"""Above the receiver's 16 MiB: uploaded in parts."""
SERIES = (5, 400)
"""Instances of a series."""


class Kind(StrEnum):
    """Why an image is not like the others."""

    PLAIN = "plain"
    LARGE = "large"
    GIANT = "giant"
    AGAIN = "the same again"
    CONFLICTING = "other bytes under a known UID"
    IN_TWO_STUDIES = "a known UID in another study"
    WARNED = "a series UID that HealthImaging warns of"
    NOT_IMPORTABLE = "a study UID that HealthImaging refuses"
    NON_PRIMARY = "another patient in the same series"
    MISMATCHED = "two SOP Instance UIDs"
    """Refused at the wire."""


SHARES = {
    Kind.LARGE: 0.01,
    Kind.AGAIN: 0.01,
    Kind.CONFLICTING: 0.003,
    Kind.IN_TWO_STUDIES: 0.002,
    Kind.WARNED: 0.003,
    Kind.NOT_IMPORTABLE: 0.003,
    Kind.NON_PRIMARY: 0.003,
    Kind.MISMATCHED: 0.003,
    Kind.GIANT: 0.0003,
}
_REMEMBERED = 200


@dataclass(frozen=True, slots=True)
class Image:
    """An instance and why it is sent."""

    kind: Kind
    instance: Instance

    @property
    def content(self) -> tuple[str, str]:
        """UID and digest, as the oracle compares them."""
        return self.instance.sop_instance_uid, self.instance.sha256()


def images(chance: random.Random) -> Iterator[Image]:
    """Yield images without an end."""
    known: deque[Instance] = deque(maxlen=_REMEMBERED)
    kinds, weights = list(SHARES), list(SHARES.values())
    kinds.append(Kind.PLAIN)
    weights.append(1 - sum(weights))
    while True:
        whole = {
            "study_instance_uid": new_uid(),
            "series_instance_uid": new_uid(),
            "patient_id": f"TEST{chance.randrange(10**9)}",
        }
        for _ in range(chance.randint(*SERIES)):
            [kind] = chance.choices(kinds, weights)
            image = _image(kind, chance, known, whole)
            if image.kind in (Kind.PLAIN, Kind.LARGE):
                known.append(image.instance)
            yield image


def _image(  # noqa: PLR0911 - a case for each kind
    kind: Kind, chance: random.Random, known: deque[Instance], whole: dict[str, str]
) -> Image:
    size = chance.randint(*SMALL_BYTES)
    if known and kind is Kind.AGAIN:
        return Image(kind, chance.choice(known))
    if known and kind in (Kind.CONFLICTING, Kind.IN_TWO_STUDIES):
        uid = chance.choice(known).sop_instance_uid
        if kind is Kind.CONFLICTING:
            return Image(kind, make_instance(size=size, sop_instance_uid=uid, **whole))
        return Image(kind, make_instance(size=size, sop_instance_uid=uid))
    if kind is Kind.WARNED:
        return Image(
            kind, make_instance(size=size, series_instance_uid=f"1.2.0{chance.randrange(10**6)}.3")
        )
    if kind is Kind.NOT_IMPORTABLE:
        return Image(kind, make_instance(size=size + 400, study_instance_uid="1." * 150 + "1"))
    if kind is Kind.NON_PRIMARY:
        return Image(kind, make_instance(size=size, **(whole | {"patient_id": ""})))
    if kind is Kind.MISMATCHED:
        return Image(kind, make_instance(size=size, dataset_uid=new_uid(), **whole))
    if kind is Kind.LARGE:
        return Image(kind, make_instance(size=chance.randint(*LARGE_BYTES), **whole))
    if kind is Kind.GIANT:
        return Image(kind, make_instance(size=GIANT_BYTES, **whole))
    return Image(Kind.PLAIN, make_instance(size=size, **whole))
