"""Every process gets exactly the settings that it declares."""

from __future__ import annotations

from typing import Any

import pytest

from contract.settings import EnvSettings
from importer.environment import (
    RecordOutcomeSettings,
    RedriveSettings,
    StartImportSettings,
    SweepSettings,
    ViewSettings,
)
from receiver.settings import Settings
from template_gen import bindings
from tests.template_gen.rendering import TLS_SECRET, document, of_type, render

FUNCTIONS: dict[str, type[EnvSettings]] = {
    "StartImport": StartImportSettings,
    "RecordOutcome": RecordOutcomeSettings,
    "Sweep": SweepSettings,
    "Redrive": RedriveSettings,
    "View": ViewSettings,
}
EXAMPLES = {
    "LANDING_BUCKET": "landing",
    "RESULTS_BUCKET": "results",
    "DATASTORE_ID": "0123456789abcdef0123456789abcdef",
    "IMPORT_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/import",
    "OUTCOME_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/outcome",
    "DATA_ACCESS_ROLE_ARN": "arn:aws:iam::123456789012:role/access",
    "TABLE_NAME": "ledger",
    "STACK_NAME": "hospital",
    "LANDING_URL": "s3://landing",
}
"""What a stack makes of references to its resources."""


def _container(resources: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any] = resources["PacsServerTaskDef"]["Properties"][
        "ContainerDefinitions"
    ][0]
    return container


def _receiver_environment(**parameters: str) -> dict[str, str]:
    pairs = _container(render(**parameters))["Environment"]
    return {pair["Name"]: pair.get("Value", "") for pair in pairs}


def test_the_receivers_environment_is_exactly_its_settings() -> None:
    """A setting added in code and not bound fails here and in the build."""
    declared = [spec.env for spec in Settings.specs().values() if not spec.secret]

    assert declared == list(_receiver_environment())


def test_secret_settings_come_from_the_secret_and_from_nowhere_else() -> None:
    """ECS reads them as the task starts; without a secret there is nothing to read."""
    secret = [spec.env for spec in Settings.specs().values() if spec.secret]
    bound = _container(render(ReceiverTLSSecretARN=TLS_SECRET))["Secrets"]

    assert secret == ["TLS_CERTIFICATE", "TLS_PRIVATE_KEY", "TLS_CLIENT_CA"]
    assert {pair["Name"]: pair["ValueFrom"] for pair in bound} == {
        "TLS_CERTIFICATE": f"{TLS_SECRET}:certificate::",
        "TLS_PRIVATE_KEY": f"{TLS_SECRET}:privateKey::",
        "TLS_CLIENT_CA": f"{TLS_SECRET}:clientCA::",
    }
    assert "Secrets" not in _container(render())


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_functions_environment_is_exactly_its_settings(function: str) -> None:
    """Likewise."""
    bound = document()["Resources"][function]["Properties"]["Environment"]["Variables"]

    assert [spec.env for spec in FUNCTIONS[function].specs().values()] == list(bound)


def test_every_function_has_settings() -> None:
    """None is forgotten above; Preflight learns everything from its request."""
    functions = of_type(document()["Resources"], "AWS::Lambda::Function")
    without = {title for title, function in functions.items() if "Environment" not in function}

    assert FUNCTIONS.keys() == functions.keys() - without
    assert without == {"PreflightFunction"}


def test_the_receiver_reads_its_environment_as_the_stack_writes_it() -> None:
    """The types of the template's values are those that the receiver parses."""
    environment = _receiver_environment(TaskCPU="2048", TaskMemoryLimit="4096") | {
        "LANDING_URL": EXAMPLES["LANDING_URL"]
    }

    settings = Settings.from_env(environment)

    assert settings.workers == 2
    assert settings.memory_mib == 4096
    assert settings.proxy_protocol
    assert settings.scp_port == Settings.defaults()["scp_port"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_reads_its_environment_as_the_stack_writes_it(function: str) -> None:
    """Values that are references are replaced by what they become."""
    bound = render()[function]["Properties"]["Environment"]["Variables"]

    FUNCTIONS[function].from_env({name: EXAMPLES.get(name, v) for name, v in bound.items()})


@pytest.mark.parametrize(
    ("parameter", "value", "variable"),
    [
        ("SCPAETitle", "MYHOSPITAL", "AE_TITLE"),
        ("RequireCalledAETitle", "true", "REQUIRE_CALLED_AE_TITLE"),
        ("RequireCallingAETitle", "CT01,MR01", "REQUIRE_CALLING_AE_TITLE"),
        ("DIMSETimeout", "45", "DIMSE_TIMEOUT"),
        ("NetworkTimeout", "120", "NETWORK_TIMEOUT"),
        ("MaximumAssociations", "10", "MAXIMUM_ASSOCIATIONS"),
        ("MaximumAssociationsPerAETitle", "20", "MAXIMUM_ASSOCIATIONS_PER_AE_TITLE"),
        ("MaximumAssociationsPerAddress", "40", "MAXIMUM_ASSOCIATIONS_PER_ADDRESS"),
        ("BindAETitleToCertificate", "true", "BIND_AE_TITLE_TO_CERTIFICATE"),
        ("SupportedSOPClassUIDs", "1.2.840.10008.5.1.4.1.1.2", "SUPPORTED_SOP_CLASS_UIDS"),
        ("LogLevel", "DEBUG", "LOG_LEVEL"),
    ],
)
def test_a_parameter_reaches_the_receiver(parameter: str, value: str, variable: str) -> None:
    """Every field of the form has its effect."""
    assert _receiver_environment(**{parameter: value})[variable] == value


def test_the_dicom_port_of_the_form_is_the_listeners_alone() -> None:
    """The container's port is fixed, so that a privileged one needs no rights."""
    resources = render(SCPPort="104")

    assert _receiver_environment(SCPPort="104")["SCP_PORT"] == "11112"
    assert resources["PacsListener"]["Properties"]["Port"] == "104"


def test_a_missing_and_a_surplus_value_fail_the_build() -> None:
    """KeyError names both."""
    values: dict[str, Any] = dict.fromkeys(ViewSettings.specs(), "x")
    del values["table_name"]

    with pytest.raises(KeyError, match="no value for \\['table_name'\\]"):
        bindings.bind(ViewSettings, values)
    with pytest.raises(KeyError, match="no setting for \\['other'\\]"):
        bindings.bind(ViewSettings, {**values, "table_name": "x", "other": "x"})


@pytest.mark.parametrize("function", [*FUNCTIONS, "PreflightFunction"])
def test_a_functions_handler_can_be_called(function: str) -> None:
    """The path is a module and a function of the archive."""
    path = document()["Resources"][function]["Properties"]["Handler"]
    module, _, name = path.rpartition(".")
    handler = getattr(__import__(module, fromlist=[name]), name)

    assert callable(handler)
