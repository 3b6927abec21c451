"""The form: every parameter, in order."""

from __future__ import annotations

from dataclasses import dataclass, fields

from troposphere import Parameter, Template

from template_gen import advanced_parameters, guide_parameters, option_parameters
from template_gen.form import Form


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """The form's fields, in the form's order within each group."""

    vpc_id: Parameter
    public_subnet_ids: Parameter
    private_subnet_ids: Parameter
    availability_zones: Parameter
    security_group_id: Parameter
    vpc_cidr: Parameter
    scp_ae_title: Parameter
    scp_port: Parameter
    peer_cidr_1: Parameter
    peer_cidr_2: Parameter
    peer_cidr_3: Parameter
    require_called_ae_title: Parameter
    require_calling_ae_title: Parameter
    task_cpu: Parameter
    task_memory_limit: Parameter
    task_desired_count: Parameter
    autoscale_max_capacity: Parameter
    tls_certificate_arn: Parameter
    dimse_timeout: Parameter
    maximum_associations: Parameter
    network_timeout: Parameter
    supported_sop_class_uids: Parameter
    storage_commitment_peers: Parameter
    storage_commitment_when: Parameter
    load_balancer_scheme: Parameter
    elastic_ips: Parameter
    task_security_group_id: Parameter
    private_route_table_ids: Parameter
    maximum_associations_per_ae_title: Parameter
    maximum_associations_per_address: Parameter
    receiver_tls_secret_arn: Parameter
    bind_ae_title_to_certificate: Parameter
    existing_datastore_id: Parameter
    expire_imported_after_days: Parameter
    create_kms_key: Parameter
    kms_key_arn: Parameter
    replica_bucket_arn: Parameter
    break_glass_role_arn: Parameter
    log_retention_days: Parameter
    log_level: Parameter
    alarm_email: Parameter
    image_uri: Parameter
    asset_bucket_prefix: Parameter
    asset_key_prefix: Parameter
    permissions_boundary_arn: Parameter
    role_path: Parameter

    def all(self) -> tuple[Parameter, ...]:
        """Return every parameter, in order."""
        return tuple(getattr(self, f.name) for f in fields(self))


def add_parameters(template: Template) -> Parameters:
    """Add the parameters and the form's metadata."""
    form = Form(template)
    parameters = Parameters(
        **guide_parameters.add_network(form),
        **guide_parameters.add_dicom(form),
        **guide_parameters.add_performance(form),
        **guide_parameters.add_security(form),
        **guide_parameters.add_dicom_details(form),
        **option_parameters.add_commitment(form),
        **option_parameters.add_network_options(form),
        **option_parameters.add_senders(form),
        **option_parameters.add_data(form),
        **option_parameters.add_monitoring(form),
        **advanced_parameters.add_advanced(form),
    )
    form.publish()
    return parameters
