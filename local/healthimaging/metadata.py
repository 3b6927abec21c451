"""The metadata document of an image set: normalised to patient, study, series and instances.

https://docs.aws.amazon.com/healthimaging/latest/devguide/understanding-image-sets.html shows its form.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom

from local.healthimaging.image_sets import ImageSet
from local.healthimaging.instances import SERIES_INSTANCE_UID

_PATIENT = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex")
_STUDY = ("StudyInstanceUID", "StudyID", "StudyDate", "StudyTime", "StudyDescription")
_STUDY_ALSO = ("AccessionNumber", "ReferringPhysicianName")
_SERIES = ("SeriesInstanceUID", "SeriesNumber", "Modality", "SeriesDescription", "BodyPartExamined")


def describe(datastore_id: str, image_set: ImageSet) -> dict[str, Any]:
    """Return the document; reads every instance's file again."""
    datasets = {uid: _read(path) for uid, path in image_set.instances.items()}
    first = next(iter(datasets.values()), {})
    apart = {*_PATIENT, *_STUDY, *_STUDY_ALSO, *_SERIES}
    return {
        "SchemaVersion": "1.1",
        "DatastoreID": datastore_id,
        "ImageSetID": image_set.id,
        "Patient": {"DICOM": _pick(first, _PATIENT)},
        "Study": {
            "DICOM": _pick(first, (*_STUDY, *_STUDY_ALSO)),
            "Series": {
                image_set.values[SERIES_INSTANCE_UID]: {
                    "DICOM": _pick(first, _SERIES),
                    "Instances": {
                        uid: {"DICOM": {k: v for k, v in values.items() if k not in apart}}
                        for uid, values in datasets.items()
                    },
                }
            },
        },
    }


def _read(path: Path) -> dict[str, Any]:
    dataset = pydicom.dcmread(path, stop_before_pixels=True)
    values: dict[str, Any] = {}
    for item in dataset:
        if item.keyword and item.VR not in ("SQ", "OB", "OW", "UN"):
            values[item.keyword] = None if item.value in (None, "") else str(item.value)
    return values


def _pick(values: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: values[name] for name in names if name in values}
