"""The composition root: each group in order, what it made handed on."""

from __future__ import annotations

from troposphere import Template

from template_gen.alarms import add_alarms
from template_gen.bucket_policies import add_bucket_policies
from template_gen.conditions import add_conditions
from template_gen.dashboard import add_dashboard
from template_gen.datastore import add_datastore
from template_gen.encryption import add_encryption, let_roles_use_key
from template_gen.functions import FunctionMaker
from template_gen.import_pipeline import (
    RECORD_OUTCOME_TIMEOUT_S,
    START_IMPORT_TIMEOUT_S,
    add_import_pipeline,
)
from template_gen.ingest_service import add_ingest_task
from template_gen.ledger import add_ledger
from template_gen.mappings import add_mappings
from template_gen.network import add_network
from template_gen.outputs import add_outputs
from template_gen.parameters import add_parameters
from template_gen.preflight import add_preflight, keep_datastore, let_everything_wait
from template_gen.product import NAME, Release, read_release
from template_gen.queues import add_queues
from template_gen.replication import add_replication_role, let_replication_read, replicate
from template_gen.roles import RoleMaker
from template_gen.rules import add_rules
from template_gen.service import add_ingest_service
from template_gen.storage import add_storage


def build_template(release: Release | None = None) -> Template:
    """Build the product's template for a release (the one of this tree unless given)."""
    release = release or read_release()
    template = Template()
    template.set_version("2010-09-09")
    template.set_description(
        f"{NAME} {release.version}: DICOM Store SCP for AWS HealthImaging. Receives images from your "
        "devices and imports each of them into AWS HealthImaging."
    )
    p = add_parameters(template)
    add_rules(template, p)
    c = add_conditions(template, p)
    assets = add_mappings(template, p, c, release)
    roles = RoleMaker(template, p, c)
    functions = FunctionMaker(roles, assets)
    preflight = add_preflight(p, c, functions)
    queues = add_queues(
        template,
        start_import_timeout_s=START_IMPORT_TIMEOUT_S,
        record_outcome_timeout_s=RECORD_OUTCOME_TIMEOUT_S,
    )
    encryption = add_encryption(template, p, c)
    replication_role = add_replication_role(p, c, roles)
    storage = add_storage(
        template, p, queues, encryption=encryption, replication=replicate(p, c, replication_role)
    )
    let_replication_read(template, c, storage, replication_role)
    table = add_ledger(template, encryption)
    datastore = add_datastore(template, p, c, storage=storage, roles=roles, encryption=encryption)
    pipeline = add_import_pipeline(
        template,
        p,
        functions,
        storage=storage,
        queues=queues,
        table=table,
        datastore=datastore,
    )
    task = add_ingest_task(template, p, c, storage=storage, table=table, assets=assets, roles=roles)
    access_logs_policy = add_bucket_policies(
        template, p, c, storage, receiver=task.task_role, tagger=pipeline.record_outcome.role
    )
    let_roles_use_key(
        template,
        encryption,
        [task.task_role, datastore.access_role, *(made.role for made in pipeline.all())],
    )
    network = add_network(
        template, p, c, access_logs=storage.access_logs, access_logs_policy=access_logs_policy
    )
    service = add_ingest_service(template, p, c, network=network, task=task)
    alarms = add_alarms(
        template, p, c, network=network, service=service, pipeline=pipeline, queues=queues
    )
    dashboard = add_dashboard(
        template, alarms=alarms, network=network, service=service, pipeline=pipeline
    )
    add_outputs(
        template,
        p,
        c,
        network=network,
        storage=storage,
        table=table,
        datastore=datastore,
        task=task,
        dashboard=dashboard,
        topic=alarms.topic,
    )
    keep_datastore(template, p, preflight, datastore)
    let_everything_wait(template, preflight)
    return template
