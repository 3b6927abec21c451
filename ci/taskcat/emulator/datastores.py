"""AWS::HealthImaging::Datastore: a stack's data store is one of the HealthImaging double's."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from moto.cloudformation import parsing
from moto.core.common_models import CloudFormationModel

from local.healthimaging.operations import HealthImaging
from local.healthimaging.protocol import ApiError

KIND = "AWS::HealthImaging::Datastore"
_PATIENCE_S = 60.0
_PAUSE_S = 0.5


def install(services: Mapping[str, HealthImaging]) -> None:
    """Let stacks make data stores.

    Args:
        services: By Region.
    """

    class Datastore(CloudFormationModel):
        def __init__(self, properties: Mapping[str, str]) -> None:
            self.attributes = {
                "DatastoreId": properties["datastoreId"],
                "DatastoreArn": properties["datastoreArn"],
            }
            self.physical_resource_id = properties["datastoreId"]

        @classmethod
        def has_cfn_attr(cls, attr: str) -> bool:
            return attr in ("DatastoreId", "DatastoreArn")

        @classmethod
        def create_from_cloudformation_json(cls, *arguments: Any, **_more: Any) -> Any:
            name, json, _, region = arguments
            service = services[region]
            key = json["Properties"].get("KmsKeyArn")
            wanted = {"datastoreName": name} | ({"kmsKeyArn": key} if key else {})
            made = _patiently(service, "CreateDatastore", wanted)
            got = _patiently(service, "GetDatastore", {"datastoreId": made["datastoreId"]})
            return cls(got["datastoreProperties"])

        def is_created(self) -> bool:
            return True

        def get_cfn_attribute(self, attribute: str) -> str:
            return self.attributes[attribute]

        def delete(self, _account_id: str, _region: str) -> None:
            """Keep it: the template retains it, and the emulator knows that policy for Retain only."""

    known: dict[str, Any] = parsing.get_model_map()
    known[KIND] = Datastore


def _patiently(service: HealthImaging, operation: str, request: dict[str, Any]) -> dict[str, Any]:
    """Call as CloudFormation does: what is throttled, again."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return service.call(operation, request)
        except ApiError as error:
            if error.code != "ThrottlingException" or time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE_S)
