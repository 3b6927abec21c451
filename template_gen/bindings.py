"""Gives every setting that a process declares its value in the stack.

A setting without a value, or a value without a setting, fails the build with a KeyError.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from troposphere import AWSHelperFn, Join, Ref, StackName

from contract.settings import EnvSettings
from importer.environment import (
    RecordOutcomeSettings,
    RedriveSettings,
    StartImportSettings,
    SweepSettings,
    ViewSettings,
)
from receiver.settings import Settings
from template_gen.datastore import DataStore
from template_gen.form import as_text
from template_gen.parameters import Parameters
from template_gen.queues import Queues
from template_gen.storage import Storage

Environment = dict[str, Any]


RECEIVER_SECRETS = {
    "tls_certificate": "certificate",
    "tls_private_key": "privateKey",
    "tls_client_ca": "clientCA",
}
"""Key of the secret's JSON by field name."""


def bind(settings: type[EnvSettings], values: Mapping[str, Any]) -> Environment:
    """Return the environment of a process, in the order of its declarations; secrets are not in it.

    Args:
        settings: What the process reads.
        values: By field name.

    Raises:
        KeyError: A field has no value, or a value no field.
    """
    specs = {name: spec for name, spec in settings.specs().items() if not spec.secret}
    if specs.keys() != values.keys():
        raise KeyError(
            f"{settings.__name__}: no value for {sorted(specs.keys() - values.keys())}, "
            f"no setting for {sorted(values.keys() - specs.keys())}"
        )
    return {spec.env: values[name] for name, spec in specs.items()}


def receiver_environment(
    p: Parameters, storage: Storage, table: Any, workers: AWSHelperFn
) -> Environment:
    """Return the receiver's environment."""
    return bind(
        Settings,
        {
            # The container's port is fixed; SCPPort is the listener's alone.
            "scp_port": fixed("scp_port"),
            "ae_title": Ref(p.scp_ae_title),
            "require_called_ae_title": Ref(p.require_called_ae_title),
            "require_calling_ae_title": Ref(p.require_calling_ae_title),
            "dimse_timeout_s": Ref(p.dimse_timeout),
            "network_timeout_s": Ref(p.network_timeout),
            "maximum_associations": Ref(p.maximum_associations),
            "maximum_associations_per_ae_title": Ref(p.maximum_associations_per_ae_title),
            "maximum_associations_per_address": Ref(p.maximum_associations_per_address),
            "maximum_pdu_size": fixed("maximum_pdu_size"),
            "supported_sop_class_uids": Ref(p.supported_sop_class_uids),
            "landing_url": Join("", ["s3://", Ref(storage.landing)]),
            "health_port": fixed("health_port"),
            "workers": workers,
            # As the target group's attribute says.
            "proxy_protocol": as_text(value=True),
            "bind_ae_title_to_certificate": Ref(p.bind_ae_title_to_certificate),
            "memory_mib": Ref(p.task_memory_limit),
            "batch_age_s": fixed("batch_age_s"),
            "batch_idle_s": fixed("batch_idle_s"),
            "stop_timeout_s": fixed("stop_timeout_s"),
            "metrics_interval_s": fixed("metrics_interval_s"),
            "stack_name": StackName,
            "commitment_peers": Ref(p.storage_commitment_peers),
            "commitment_when": Ref(p.storage_commitment_when),
            "commitment_unknown_after_s": fixed("commitment_unknown_after_s"),
            "commitment_timeout_s": fixed("commitment_timeout_s"),
            "commitment_retry_s": fixed("commitment_retry_s"),
            "ledger_table": Ref(table),
            "log_level": Ref(p.log_level),
        },
    )


def receiver_secrets(p: Parameters) -> Environment:
    """Return where ECS finds the receiver's secret variables.

    Raises:
        KeyError: A secret setting has no key, or a key no setting.
    """
    specs = {name: spec.env for name, spec in Settings.specs().items() if spec.secret}
    if specs.keys() != RECEIVER_SECRETS.keys():
        raise KeyError(f"secrets of the receiver: {sorted(specs.keys() ^ RECEIVER_SECRETS.keys())}")
    # ARN:JSON-KEY:VERSION-STAGE:VERSION-ID; without the last two it is the newest (Amazon ECS developer
    # guide, "Pass Secrets Manager secrets through Amazon ECS environment variables").
    return {
        env: Join("", [Ref(p.receiver_tls_secret_arn), f":{RECEIVER_SECRETS[name]}::"])
        for name, env in specs.items()
    }


def fixed(name: str) -> str:
    """Return the default of a receiver's setting that is no parameter, as its variable spells it."""
    return as_text(Settings.defaults()[name])


def start_import_environment(
    p: Parameters, storage: Storage, queues: Queues, table: Any, datastore: DataStore
) -> Environment:
    """Return StartImport's environment."""
    return bind(
        StartImportSettings,
        {
            **_common(p, storage, table),
            **_queue_urls(queues),
            "results_bucket": Ref(storage.results),
            "datastore_id": datastore.id,
            "data_access_role_arn": datastore.access_role.get_att("Arn"),
            **_defaults(StartImportSettings, "job_max_files", "unreadable_after"),
        },
    )


def record_outcome_environment(
    p: Parameters, storage: Storage, queues: Queues, table: Any, datastore: DataStore
) -> Environment:
    """Return RecordOutcome's environment."""
    return bind(
        RecordOutcomeSettings,
        {
            **_common(p, storage, table),
            **_queue_urls(queues),
            "results_bucket": Ref(storage.results),
            "datastore_id": datastore.id,
            **_defaults(RecordOutcomeSettings, "output_grace_s"),
        },
    )


def sweep_environment(p: Parameters, storage: Storage, queues: Queues, table: Any) -> Environment:
    """Return Sweep's environment."""
    return bind(
        SweepSettings,
        {
            **_common(p, storage, table),
            **_queue_urls(queues),
            **_defaults(
                SweepSettings,
                "reannounce_after_s",
                "poll_after_s",
                "adopt_after_s",
                "close_after_s",
            ),
        },
    )


def redrive_environment(p: Parameters, storage: Storage, queues: Queues, table: Any) -> Environment:
    """Return Redrive's environment."""
    return bind(
        RedriveSettings,
        {
            **_common(p, storage, table),
            **_queue_urls(queues),
            **_defaults(RedriveSettings, "job_max_files"),
        },
    )


def view_environment(p: Parameters, storage: Storage, table: Any) -> Environment:
    """Return View's environment."""
    return bind(ViewSettings, _common(p, storage, table))


def _common(p: Parameters, storage: Storage, table: Any) -> dict[str, Any]:
    return {
        "landing_bucket": Ref(storage.landing),
        "table_name": Ref(table),
        "stack_name": StackName,
        "log_level": Ref(p.log_level),
    }


def _queue_urls(queues: Queues) -> dict[str, Any]:
    return {
        "import_queue_url": Ref(queues.import_queue),
        "outcome_queue_url": Ref(queues.outcome_queue),
    }


def _defaults(settings: type[EnvSettings], *names: str) -> dict[str, str]:
    defaults = settings.defaults()
    return {name: as_text(defaults[name]) for name in names}
