"""SearchImageSets: the filters of the model over image sets."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from botocore.utils import parse_to_aware_datetime

from local.healthimaging import instances as element
from local.healthimaging.image_sets import ImageSet, ImageSets

_BY_ATTRIBUTE = {
    "DICOMPatientId": element.PATIENT_ID,
    "DICOMAccessionNumber": element.ACCESSION_NUMBER,
    "DICOMStudyId": element.STUDY_ID,
    "DICOMStudyInstanceUID": element.STUDY_INSTANCE_UID,
    "DICOMSeriesInstanceUID": element.SERIES_INSTANCE_UID,
}
_SUMMARY = _BY_ATTRIBUTE | {
    "DICOMPatientName": element.PATIENT_NAME,
    "DICOMPatientBirthDate": element.PATIENT_BIRTH_DATE,
    "DICOMPatientSex": element.PATIENT_SEX,
    "DICOMStudyDescription": element.STUDY_DESCRIPTION,
    "DICOMSeriesModality": element.MODALITY,
    "DICOMStudyDate": element.STUDY_DATE,
    "DICOMStudyTime": element.STUDY_TIME,
}


def matching(image_sets: ImageSets, criteria: dict[str, Any]) -> list[ImageSet]:
    """Return the image sets that meet every filter, in the order asked for (newest first)."""
    filters = criteria.get("filters") or []
    studies = [
        value["DICOMStudyInstanceUID"]
        for item in filters
        for value in item["values"]
        if "DICOMStudyInstanceUID" in value and item["operator"] == "EQUAL"
    ]
    candidates = image_sets.of_study(studies[0]) if studies else image_sets.all()
    found = [s for s in candidates if all(_meets(s, item) for item in filters)]
    sort = criteria.get("sort") or {"sortField": "updatedAt", "sortOrder": "DESC"}
    field = sort["sortField"]
    found.sort(key=lambda s: _moment(s, field), reverse=sort["sortOrder"] == "DESC")
    return found


def summary(image_set: ImageSet) -> dict[str, Any]:
    """Return an image set as it stands in a search result."""
    tags: dict[str, Any] = {
        name: image_set.values[tag] for name, tag in _SUMMARY.items() if image_set.values.get(tag)
    }
    tags["DICOMNumberOfStudyRelatedInstances"] = len(image_set.instances)
    return {
        "imageSetId": image_set.id,
        "version": image_set.version,
        "createdAt": image_set.created_at,
        "updatedAt": image_set.updated_at,
        "isPrimary": image_set.is_primary,
        "DICOMTags": tags,
    }


def _meets(image_set: ImageSet, item: dict[str, Any]) -> bool:
    values = item["values"]
    name, first = next(iter(values[0].items()))
    last = next(iter(values[-1].values()))
    own = _value(image_set, name)
    if name in ("createdAt", "updatedAt"):
        first, last = parse_to_aware_datetime(first), parse_to_aware_datetime(last)
    if name == "DICOMStudyDateAndTime":
        first, last = _date_time(first), _date_time(last)
    if item["operator"] == "BETWEEN":
        return bool(first <= own <= last)
    return bool(own == first)


def _value(image_set: ImageSet, name: str) -> Any:
    if name in _BY_ATTRIBUTE:
        return image_set.values.get(_BY_ATTRIBUTE[name], "")
    if name == "isPrimary":
        return image_set.is_primary
    return _moment(image_set, name)


def _moment(image_set: ImageSet, name: str) -> datetime | str:
    if name == "createdAt":
        return image_set.created_at
    if name == "updatedAt":
        return image_set.updated_at
    date, time = (image_set.values.get(t, "") for t in (element.STUDY_DATE, element.STUDY_TIME))
    return _date_time({"DICOMStudyDate": date, "DICOMStudyTime": time})


def _date_time(value: dict[str, str]) -> str:
    return value["DICOMStudyDate"] + value.get("DICOMStudyTime", "")
