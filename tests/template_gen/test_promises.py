"""Nothing that is promised is without a test: the deployment guide by its headings, the design by its sentences.

The guide's tests quote the heading that promises something at the beginning of their docstring. The design's
sentences are in the table below, each with the tests, here or elsewhere, that hold it.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
GUIDE_TESTS = ("template_gen/test_guide_form.py", "template_gen/test_guide_stack.py")
PROMISING = (
    "製品概要",
    "必要なIAM権限",
    "必要なネットワーク構成",
    "DICOM通信用セキュリティグループの設定",
    "TLS証明書（オプション）",
    "ステップ2: 設定とデプロイ",
    "必須パラメータの詳細説明",
    "オプションパラメータ",
    "ステップ4: デプロイ実行",
    "接続情報取得の詳細手順",
    "接続設定の手順",
    "テスト方法2: DCMTKツールを使用",
    "テスト方法3: 実際の画像送信テスト",
    "1. CloudWatch ダッシュボード作成",
    "2. アラーム設定",
    "1. セキュリティグループ設定",
    "2. TLS設定（オプション）",
    "1. DICOM接続タイムアウト",
    "3. システム負荷エラー",
    "接続エラー",
    "自動スケーリング",
    "実装済みの保護機能",
    "1. システム稼働状況の確認（毎日）",
    "2. DICOM画像処理状況の確認（毎日）",
    "3. セキュリティ状況の確認（週次）",
    "月次メンテナンス",
    "四半期メンテナンス",
    "年次メンテナンス",
    "システム停止時の対応",
    "セキュリティインシデント時の対応",
    "Q3",
    "Q4",
    "Q5",
    "Q6",
)
"""Headings of the deployment guide under which the template is said to do something."""
ELSEWHERE = {
    "テスト方法1: DICOM機器からのEchoテスト": "receiver/test_clients::test_echoscu_is_answered",
    "1. VPC関連エラー": "template_gen/test_parameter_sets::test_a_bad_set_is_refused_with_its_assert_description",
    "2. 権限エラー": "template_gen/test_deploy::test_what_the_guides_list_forgot_is_there",
    "3. リソース制限エラー": "importer/preflight/test_parameter_sets::test_a_bad_set_is_refused_with_preflights_sentence",
    "2. AE Title不一致エラー": "receiver/test_interop::test_unknown_ae_title_is_rejected",
}
"""Headings whose promise the rest of the product keeps. Those that are missing here promise nothing (what a
VPC is, whom to call), or what no template can (how long AWS takes, what it costs)."""

DESIGN: dict[str, tuple[str, ...]] = {
    # Names that the guide fixes
    "parameters have the guide's exact names and defaults, in groups of the guide's order": (
        "test_parameters::test_the_guides_parameters_have_its_names_defaults_groups_and_order",
    ),
    "labels that a first-time user understands": (
        "test_parameters::test_every_parameter_has_a_group_a_label_and_a_description_in_two_languages",
    ),
    "types of AWS's own wherever there is a picker": (
        "test_parameters::test_existing_things_are_picked_from_a_list",
    ),
    "new optional parameters come after the guide's": (
        "test_parameters::test_our_own_parameters_come_after_the_guides_and_are_optional",
    ),
    "outputs: host, port, AE title": ("test_operations::test_the_guides_outputs",),
    "outputs: links to console, dashboard, data store and buckets": (
        "test_operations::test_outputs_lead_to_where_things_are",
    ),
    "the log group's logical ID, and no name": (
        "test_template::test_the_guides_logical_ids_stay",
        "test_template::test_nothing_has_a_name_of_ours",
    ),
    "the logical IDs PacsNLB and DicomImportJobTable": (
        "test_template::test_the_guides_logical_ids_stay",
    ),
    "target tracking, CPU 50 %, cooldowns 60 s": ("test_network::test_scaling_is_the_guides",),
    "minimum 1, maximum AutoscaleMaxCapacity": (
        "test_guide_stack::test_scaling_has_the_guides_bounds",
    ),
    "S3: encrypted, TLS only, public access blocked": (
        "test_data::test_a_bucket_is_encrypted",
        "test_data::test_a_bucket_refuses_plain_connections",
        "test_data::test_a_bucket_blocks_public_access",
    ),
    "DynamoDB: point-in-time recovery, encryption": (
        "test_data::test_the_table_can_be_restored_and_is_encrypted",
    ),
    "alarms: CPU, memory, error rate, import errors, and what the invariants need": (
        "test_operations::test_the_guides_alarms_on_load",
        "test_operations::test_the_guides_alarm_on_function_errors",
        "test_operations::test_alarms_on_our_metrics_name_them_as_they_are_written",
        "test_operations::test_every_dead_letter_queue_has_an_alarm",
        "test_operations::test_no_healthy_server_is_an_alarm_also_without_data",
    ),
    # What a real account does to such stacks
    "the scaling minimum is TaskDesiredCount, so that raising it lasts": (
        "test_network::test_raising_the_desired_count_lasts",
    ),
    "rules: maximum >= desired": (
        "test_parameter_sets::test_a_bad_set_is_refused_with_its_assert_description",
        "test_rules::test_a_maximum_that_is_not_below_the_minimum_is_taken",
    ),
    "tasks with transfers in progress are protected from scaling in": (
        "test_network::test_a_task_may_protect_itself_from_scaling_in",
        "receiver/test_protection::test_a_receiver_with_an_open_association_protects_its_task",
    ),
    "that protection is renewed": (
        "receiver/test_protection::test_protection_begins_with_the_first_association_and_is_renewed",
    ),
    "that protection is capped": (
        "receiver/test_protection::test_protection_is_capped_until_there_was_a_pause",
    ),
    "that protection is cleared when idle": (
        "receiver/test_protection::test_protection_ends_once_the_task_has_been_idle",
    ),
    "zone rebalancing off; health check grace 120 s": (
        "test_network::test_a_failed_deployment_is_rolled_back_and_a_good_one_cuts_nothing",
    ),
    "unhealthy targets keep their connections": ("test_network::test_associations_may_finish",),
    "no reserved concurrency": ("test_operations::test_no_function_reserves_concurrency",),
    "event source mappings with MaximumConcurrency 2": (
        "test_operations::test_event_source_mappings_are_limited_and_report_single_failures",
    ),
    "throttled starts change the message's visibility with jitter": (
        "importer/test_messages::test_the_wait_grows_with_deliveries_and_is_bounded",
        "importer/test_handlers::test_a_throttled_message_is_reported_and_comes_back_soon",
    ),
    "maxReceiveCount is high": ("test_data::test_a_queue_keeps_what_it_cannot_deliver",),
    "the dead-letter queue holds only what cannot be read": (
        "importer/test_handlers::test_a_bad_message_fails_alone",
        "importer/test_messages::test_what_is_no_announcement_is_refused",
    ),
    "s3:TestEvent is dropped": ("importer/test_messages::test_s3s_test_event_is_dropped",),
    "client token = batch id + attempt": (
        "importer/test_healthimaging::test_a_job_is_started_with_prefixes_and_token",
        "importer/test_pipeline::test_crash_between_start_and_record_gives_the_same_job",
    ),
    "an attempt counts up only after the one before is known to have failed": (
        "importer/test_batch::test_attempts_are_never_given_twice",
        "importer/test_pipeline::test_poison_is_found_by_bisection",
    ),
    "IMPORTED alone is tagged for expiry": (
        "importer/test_s3::test_the_one_tag",
        "test_data::test_only_imported_originals_expire",
    ),
    "warned, non-primary and conflicting originals stay until an operator releases them": (
        "importer/test_redrive::test_release_lets_warned_and_apart_originals_expire",
        "importer/test_redrive::test_release_of_one_conflicting_original",
    ),
    "bucket policy: the receiver may only put, create-only, where it lands": (
        "test_data::test_the_receiver_can_only_add",
        "test_data::test_nothing_that_landed_can_be_written_over",
    ),
    "nobody can delete what landed": (
        "test_data::test_nobody_can_delete",
        "test_permissions::test_no_role_can_delete",
    ),
    "only RecordOutcome may tag, and only that one tag": (
        "test_data::test_only_record_outcome_tags",
        "test_permissions::test_only_record_outcome_may_tag_and_only_that_one_tag",
    ),
    "lifecycle: tagged, noncurrent, stale uploads, each a rule of its own": (
        "test_data::test_only_imported_originals_expire",
        "test_data::test_a_bucket_is_versioned_and_drops_stale_uploads",
    ),
    "no explicit names for buckets or roles": ("test_template::test_nothing_has_a_name_of_ours",),
    "queue policy before bucket notification": (
        "test_data::test_the_queue_lets_s3_in_before_the_bucket_is_made",
    ),
    "no cycles": ("test_preflight::test_the_resources_can_be_made_in_some_order",),
    "security group rules are separate resources": (
        "test_network::test_no_group_names_another_in_a_rule_of_its_own",
    ),
    "egress to DICOM and health ports only": (
        "test_network::test_the_load_balancer_reaches_the_dicom_and_health_ports_only",
    ),
    "a range given twice makes one rule": (
        "test_network::test_a_range_given_twice_makes_one_rule",
    ),
    "0.0.0.0/0 is refused": (
        "test_parameter_sets::test_a_bad_value_is_refused_with_its_constraint_description",
    ),
    "one listener resource, TCP or TLS by condition": (
        "test_network::test_there_is_one_listener",
        "test_network::test_without_a_certificate_the_listener_is_tcp",
        "test_network::test_with_a_certificate_the_listener_is_tls_12_or_13",
    ),
    "the container's port is fixed, SCPPort only on the listener": (
        "test_bindings::test_the_dicom_port_of_the_form_is_the_listeners_alone",
    ),
    "the target group is always TCP": (
        "test_network::test_the_target_group_is_tcp_with_the_senders_address",
    ),
    "NetworkTimeout and DIMSETimeout stop at 300": (
        "test_parameters::test_the_timeouts_stay_below_the_load_balancers_idle_time",
        "test_network::test_an_idle_connection_is_kept_longer_than_the_receiver_keeps_it",
    ),
    "internet-facing or internal": (
        "test_network::test_the_load_balancer_stands_in_the_public_subnets_across_zones",
        "test_network::test_the_load_balancer_can_be_internal",
    ),
    "Elastic IPs, addresses in the outputs": (
        "test_network::test_fixed_addresses_are_in_the_first_two_subnets",
        "test_operations::test_fixed_addresses_are_in_the_outputs",
    ),
    "PrivateRouteTableIDs makes the S3 gateway endpoint": (
        "test_network::test_route_tables_get_the_s3_endpoint",
    ),
    "encryption: AWS managed, a key of the stack, or an existing key": (
        "test_data::test_a_bucket_is_encrypted",
        "test_data::test_a_key_encrypts_all_data",
    ),
    "the policy that an existing key needs is printed": (
        "importer/preflight/test_other_checks::test_what_is_right_is_not_mentioned",
    ),
    "queues use SQS-managed encryption": (
        "test_data::test_queues_are_encrypted_and_refuse_plain_connections",
    ),
    "data store: RetainExceptOnCreate, UpdateReplacePolicy Retain, no tags": (
        "test_data::test_the_data_store_outlives_the_stack",
    ),
    "optional existing data store": ("test_data::test_an_existing_data_store_is_used_everywhere",),
    "an update that would replace the data store fails loudly": (
        "test_preflight::test_an_update_that_would_replace_the_data_store_fails_loudly",
        "importer/preflight/test_lasting::test_a_replaced_data_store_stops_the_update",
    ),
    "the image is pulled from its own account and Region": (
        "test_permissions::test_the_image_is_pulled_from_its_own_account_and_region",
    ),
    "metrics have the stack as their only dimension": (
        "receiver/test_metrics::test_document_is_embedded_metric_format",
        "test_operations::test_alarms_on_our_metrics_name_them_as_they_are_written",
    ),
    "figures per sender come from the ledger": (
        "importer/test_ledger::test_a_new_instance_is_recorded_and_known",
    ),
    "ledger index: sparse and sharded, for what is not terminal and for quarantine only": (
        "test_data::test_the_tables_keys_and_index_are_the_ledgers",
        "importer/test_ledger::test_open_batches_leave_the_index_when_done",
        "importer/test_ledger::test_the_quarantine_list",
    ),
    "Sweep lists by hour with a cursor and checkpoints closed hours": (
        "importer/test_ledger::test_cursor_never_moves_back",
        "importer/test_sweep::test_an_hour_is_closed_when_everything_is_terminal",
        "importer/test_ledger::test_a_closed_hour_keeps_its_proof",
    ),
    "a daily full proof": (
        "importer/test_full_proof::test_what_is_whole_is_proved",
        "importer/test_full_proof::test_a_loss_stands_until_the_next_round",
    ),
    "storage commitment: the task reads the ledger, and only when asked to answer": (
        "test_storage_commitment::test_without_an_address_nothing_is_granted_or_opened",
        "test_storage_commitment::test_the_receiver_may_do_what_it_needs_to_answer_and_no_more",
    ),
    "storage commitment: a map of AE title to address": (
        "test_storage_commitment::test_what_is_typed_reaches_the_receiver",
        "test_storage_commitment::test_what_is_no_address_is_refused_by_the_form",
    ),
    "storage commitment: one deliverer among many tasks": (
        "receiver/commitment/test_registry::test_one_owner_at_a_time",
        "receiver/commitment/test_racing::test_each_request_is_answered_once",
    ),
    "storage commitment: an outbound route": (
        "test_storage_commitment::test_the_servers_may_call_the_devices_networks",
    ),
    "the minimal deploy policy and a deploy role, generated": (
        "test_deploy::test_every_action_that_a_resource_needs_is_granted_once",
        "test_deploy::test_the_deploy_role_is_cloudformations_alone",
    ),
    "permissions boundary and role path for hospitals that demand them": (
        "test_permissions::test_every_role_takes_the_organisations_path_and_boundary",
    ),
}
"""Each sentence of the design on the template, and the tests that hold it (`folder/module::name`, the folder
this one where none is given)."""

CONTROLS: dict[str, tuple[str, ...]] = {
    "S3.2, S3.3, S3.8: public access blocked": ("test_data::test_a_bucket_blocks_public_access",),
    "S3.5: TLS only": ("test_data::test_a_bucket_refuses_plain_connections",),
    "S3.9: access logs": ("test_guide_stack::test_access_to_images_is_logged",),
    "S3.12: no ACLs": ("test_data::test_a_bucket_blocks_public_access",),
    "S3.10, S3.13: lifecycle": ("test_data::test_a_bucket_is_versioned_and_drops_stale_uploads",),
    "S3.14: versioning": ("test_data::test_a_bucket_is_versioned_and_drops_stale_uploads",),
    "S3.17: KMS, if asked for": ("test_data::test_a_key_encrypts_all_data",),
    "nobody can delete or overwrite": (
        "test_data::test_nobody_can_delete",
        "test_data::test_nothing_that_landed_can_be_written_over",
    ),
    "ECS.2, ECS.16: no public address": (
        "test_network::test_tasks_run_in_the_private_subnets_without_public_addresses",
    ),
    "ECS.4, ECS.5, ECS.20: unprivileged, read-only root, non-root, no capabilities": (
        "test_network::test_the_task_is_hardened",
    ),
    "ECS.8, ECS.10: no secrets in variables, newest platform, no ECS Exec": (
        "test_network::test_the_service_runs_on_the_newest_platform_without_a_shell",
    ),
    "ECS.9: logs": ("test_network::test_a_slow_log_service_does_not_stop_the_receiver",),
    "ELB.13: more than one zone": (
        "test_network::test_the_load_balancer_stands_in_the_public_subnets_across_zones",
        "test_parameter_sets::test_subnets_in_any_one_zone_are_refused",
    ),
    "ELB.17, ELB.18: TLS 1.2 and 1.3 only": (
        "test_network::test_with_a_certificate_the_listener_is_tls_12_or_13",
    ),
    "EC2.18, EC2.19: no range of everybody": (
        "test_parameter_sets::test_a_bad_value_is_refused_with_its_constraint_description",
    ),
    "EC2.2: groups let out only what they must": (
        "test_network::test_the_load_balancer_reaches_the_dicom_and_health_ports_only",
    ),
    "Lambda.1: called by whom it must": ("test_operations::test_the_rule_and_no_other_may_send",),
    "Lambda.2: a current runtime": (
        "test_operations::test_code_comes_from_the_regions_own_bucket",
    ),
    "DynamoDB.2: point-in-time recovery": (
        "test_data::test_the_table_can_be_restored_and_is_encrypted",
    ),
    "DynamoDB.6: deletion protection": ("test_data::test_the_table_cannot_be_deleted_by_mistake",),
    "SQS.1: encrypted; TLS only; dead letters are kept as long": (
        "test_data::test_queues_are_encrypted_and_refuse_plain_connections",
        "test_data::test_a_queue_keeps_what_it_cannot_deliver",
    ),
    "CloudWatch.16: retention": ("test_operations::test_every_log_group_has_a_retention",),
    "KMS.3, KMS.4: the key is kept and rotated": (
        "test_data::test_the_stacks_own_key_outlives_it",
    ),
    "IAM.1, IAM.21: no wildcard action": ("test_permissions::test_no_role_has_a_wildcard_action",),
    "each role by its golden policy": (
        "test_permissions::test_each_role_may_do_exactly_what_its_golden_policy_says",
    ),
    "no wildcard resource without a reason": (
        "test_permissions::test_every_right_to_all_resources_has_its_reason",
    ),
    "no PassRole but to HealthImaging": (
        "test_permissions::test_roles_are_passed_to_healthimaging_alone",
    ),
    "no DeleteObject": ("test_permissions::test_no_role_can_delete",),
    "HealthImaging's role is for one data store": (
        "test_permissions::test_healthimaging_takes_its_role_for_this_data_store_alone",
    ),
    "tasks' roles are for this account": (
        "test_permissions::test_tasks_take_their_roles_in_this_account_alone",
    ),
    "an image by its digest": (
        "test_product::test_an_image_is_named_by_its_digest_once_it_is_published",
    ),
    "stateful resources are never replaced": (
        "test_updates::test_an_update_from_the_last_release_loses_nothing",
    ),
}
"""Controls of AWS Security Hub (FSBP), and what a hospital's auditor asks besides. Those that do not fit here
are waived with their reasons in ci/scan/waivers.py."""


@cache
def _tests_of(path: Path) -> dict[str, str]:
    """Return the docstring of each test of a module, by name."""
    module = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name: ast.get_docstring(node) or ""
        for node in module.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def _exists(test: str) -> bool:
    module, _, name = test.partition("::")
    folder, _, stem = module.rpartition("/")
    path = TESTS / (folder or "template_gen") / f"{stem}.py"
    return path.is_file() and name in _tests_of(path)


@pytest.mark.parametrize("sentence", DESIGN)
def test_a_sentence_of_the_design_has_its_tests(sentence: str) -> None:
    """By name, so that none can be removed or renamed without notice."""
    assert [test for test in DESIGN[sentence] if not _exists(test)] == []
    assert DESIGN[sentence]


@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_has_its_tests(control: str) -> None:
    """Likewise."""
    assert [test for test in CONTROLS[control] if not _exists(test)] == []


@pytest.mark.parametrize("heading", PROMISING)
def test_a_promise_of_the_guide_has_its_tests(heading: str) -> None:
    """At least one whose docstring begins with the heading."""
    docstrings = [d for module in GUIDE_TESTS for d in _tests_of(TESTS / module).values()]

    assert any(docstring.startswith(f"{heading}:") for docstring in docstrings)


@pytest.mark.parametrize("module", GUIDE_TESTS)
def test_each_of_the_guides_tests_quotes_a_heading(module: str) -> None:
    """One that is in the guide."""
    strangers = [
        name
        for name, docstring in _tests_of(TESTS / module).items()
        if not docstring.startswith(tuple(f"{heading}:" for heading in PROMISING))
    ]

    assert strangers == []


@pytest.mark.parametrize("heading", ELSEWHERE)
def test_a_promise_that_others_keep_has_its_test(heading: str) -> None:
    """Likewise by name."""
    assert _exists(ELSEWHERE[heading])
