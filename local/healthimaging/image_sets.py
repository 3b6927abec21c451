"""Image sets: how imported instances are organised, and their versions.

https://docs.aws.amazon.com/healthimaging/latest/devguide/understanding-image-sets.html: instances of a
series that do not conflict join one primary image set, from one or several jobs; an instance that
conflicts goes to a non-primary one; the same instance again replaces the older copy and makes a version.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from local.healthimaging.instances import Instance


@dataclass(slots=True)
class ImageSet:
    """One image set; `instances` maps SOP Instance UID to its file."""

    id: str
    is_primary: bool
    values: dict[int, str]
    created_at: datetime
    updated_at: datetime
    version: int = 1
    instances: dict[str, Path] = field(default_factory=dict)


class ImageSets:
    """All image sets of one data store; thread-safe."""

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self._by_id: dict[str, ImageSet] = {}
        self._primary: dict[str, tuple[ImageSet, tuple[str, ...]]] = {}
        self._by_study: dict[str, list[ImageSet]] = {}

    def session(self, now: datetime) -> ImportSession:
        """Start the import of one job."""
        return ImportSession(self, now)

    def get(self, image_set_id: str) -> ImageSet | None:
        """Return an image set."""
        return self._by_id.get(image_set_id)

    def of_study(self, study_instance_uid: str) -> list[ImageSet]:
        """Return the image sets of a study."""
        with self._lock:
            return list(self._by_study.get(study_instance_uid, ()))

    def all(self) -> list[ImageSet]:
        """Return every image set."""
        with self._lock:
            return list(self._by_id.values())

    def count_instances(self) -> int:
        """Return how many instances the data store holds, versions not counted."""
        with self._lock:
            return sum(len(image_set.instances) for image_set in self._by_id.values())

    def place(
        self, instance: Instance, now: datetime, apart: dict[tuple[str, ...], ImageSet]
    ) -> tuple[ImageSet, bool]:
        """Return the image set that takes `instance` and whether it is new.

        Args:
            instance: What was read.
            now: Time of the import.
            apart: Non-primary image sets of this job by grouping values; added to.
        """
        with self._lock:
            series = instance.series_instance_uid
            primary = self._primary.get(series)
            if primary is None:
                image_set = self._add(instance, now, is_primary=True)
                self._primary[series] = (image_set, instance.grouping)
                return image_set, True
            if primary[1] == instance.grouping:
                return primary[0], False
            if instance.grouping in apart:
                return apart[instance.grouping], False
            apart[instance.grouping] = self._add(instance, now, is_primary=False)
            return apart[instance.grouping], True

    def _add(self, instance: Instance, now: datetime, *, is_primary: bool) -> ImageSet:
        image_set = ImageSet(secrets.token_hex(16), is_primary, instance.values, now, now)
        self._by_id[image_set.id] = image_set
        self._by_study.setdefault(instance.study_instance_uid, []).append(image_set)
        return image_set


class ImportSession:
    """The image sets that one job touches: each gets at most one new version from it."""

    def __init__(self, image_sets: ImageSets, now: datetime) -> None:
        """Import into `image_sets` at time `now`."""
        self._image_sets = image_sets
        self._now = now
        self._apart: dict[tuple[str, ...], ImageSet] = {}
        self._matched: dict[str, int] = {}

    def place(self, instance: Instance) -> ImageSet:
        """Return the image set for `instance`, its version already raised for this job."""
        image_set, is_new = self._image_sets.place(instance, self._now, self._apart)
        if image_set.id not in self._matched:
            self._matched[image_set.id] = 0
            if not is_new:
                image_set.version += 1
                image_set.updated_at = self._now
        self._matched[image_set.id] += 1
        return image_set

    def touched(self) -> Iterable[tuple[ImageSet, int]]:
        """Return each image set with the number of instances that matched it."""
        for image_set_id, count in self._matched.items():
            image_set = self._image_sets.get(image_set_id)
            if image_set is not None:
                yield image_set, count
