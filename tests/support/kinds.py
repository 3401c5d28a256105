"""Which test is of which kind: a proof, one that starts a server, one that needs a pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

TESTS = Path(__file__).parents[1]
# What is heavy by nature. `make test` leaves it to `make proof`: a file, or one test of it.
PROOFS = (
    # Foreign servers and environments.
    "targets/test_bentoml.py", "targets/test_flavors.py", "targets/test_mlflow.py", "targets/test_mlserver.py",
    "forges/test_emulate.py", "e2e/test_other_ci.py", "serving/test_clients.py", "pipelines/test_engines.py",
    "production/test_exchange_tools.py", "catalog/test_image.py::test_an_image_is_built_pushed_pulled_and_answers",
    "catalog/test_exchange.py::test_backstages_own_validator_takes_the_component",
    "catalog/test_exchange.py::test_mlcroissant_reads_the_dataset",
    "catalog/test_exchange.py::test_openlineages_own_client_reads_the_event",
    "checkout/test_signing.py::test_register_signs_with_a_key_that_vault_keeps_and_deploy_takes_it",
    "e2e/test_installed.py::test_every_job_runs_with_only_what_its_requirement_files_install",
    "e2e/test_other_ci.py::test_a_merge_train_of_gitlab",
    "audit/test_mirror.py::test_only_the_mirror_and_the_dvc_remote_are_left_and_everything_comes_back",
    "audit/test_mirror.py::test_the_server_deletes_nothing_that_the_mirror_holds",
    "audit/test_mirror.py::test_a_bucket_that_cannot_keep_is_refused",
    "e2e/test_s3.py::test_a_version_travels_through_s3_to_a_second_clone",
    "e2e/test_s3.py::test_dvc_takes_the_role_that_a_jobs_token_gives_and_no_key",
    "pipelines/test_notebook.py::test_a_stage_that_runs_a_notebook_makes_what_its_script_made",
    "pipelines/test_runs.py::test_kfp_compiles_what_is_submitted_and_its_own_client_sends_the_same",
    "secrets/test_vault.py::test_a_job_of_the_main_branch_reads_what_its_policy_allows",
    "secrets/test_vault.py::test_a_job_of_another_branch_or_repository_is_refused",
    "secrets/test_vault.py::test_a_token_that_is_wrong_or_of_another_issuer_is_refused",
    "secrets/test_vault.py::test_a_key_of_the_transit_engine_signs_and_never_leaves_it",
    "secrets/test_vault.py::test_what_is_no_key_for_signing_is_refused",
    "secrets/test_vault.py::test_a_role_that_may_not_sign_is_refused",
    "setup/test_mlflow_import.py::test_the_registry_of_a_real_server_is_imported",
    "setup/test_mlflow_import.py::test_a_thousand_versions_are_imported",
    "setup/test_mlflow_model.py::test_models_that_mlflow_itself_logged",
    "setup/test_mlflow_model.py::test_files_of_other_libraries_are_taken",
    "setup/test_gto_import.py::test_a_thousand_tags_are_imported",
    "trackers/test_real_trackers.py",
    # Long walks through the workflow files, whose parts have tests of their own.
    "e2e/test_commands_and_clock.py::test_through_cml_and_through_the_api_there_is_one_comment",
    "e2e/test_commands_and_clock.py::test_a_rollouts_clock_enters_no_environment_without_need",
    "e2e/test_commands_and_clock.py::test_an_expired_waiver_is_removed_by_one_pull_request",
    "e2e/test_pull_request.py::test_where_a_role_is_set_a_job_gets_a_token_and_no_key",
    "e2e/test_pull_request.py::test_two_models_in_one_pull_request_then_one",
    "attacks/test_measurement.py::test_a_lock_that_a_run_of_ci_left_is_not_run_again",
    "attacks/test_measurement.py::test_to_register_bytes_that_the_changed_code_never_made",
    "e2e/test_commands_and_clock.py::test_a_scheduled_retrain_opens_one_pull_request_and_refreshes_it_the_next_day",
    "e2e/test_commands_and_clock.py::test_retrain_by_comment_is_pinned_to_the_head_that_was_seen",
    "e2e/test_commands_and_clock.py::test_a_forge_that_does_not_answer_is_an_error_and_never_a_verdict",
    "e2e/test_pull_request.py::test_an_approval_before_the_last_push_does_not_count",
    "e2e/test_pull_request.py::test_two_proposals_of_one_model_conflict_on_the_lock",
    "e2e/test_pull_request.py::test_a_worse_model_is_refused_and_a_second_push_edits_the_one_comment",
    "e2e/test_loop.py::test_a_champion_that_moved_asks_for_a_new_comparison",
    "e2e/test_loop.py::test_two_candidates_at_once_from_two_clones_get_two_numbers",
    "e2e/test_loop.py::test_two_registrations_at_once_from_two_clones",
    "e2e/test_init.py::test_the_digits_of_scikit_learn_are_an_example_that_passes",
    "attacks/test_measurement.py::test_to_register_forged_outputs_of_a_lock",
    "attacks/test_measurement.py::test_to_have_bytes_measured_that_the_changed_code_never_made",
    "attacks/test_measurement.py::test_an_honest_candidate_keeps_the_held_out_rows",
    "catalog/test_storage.py::test_reproduce_lists_the_differences_when_the_commit_is_not_enough",
    "e2e/test_pull_request.py::test_pictures_on_the_own_evidence_branch",
    "e2e/test_pull_request.py::test_a_change_of_data_alone",
    "e2e/test_pull_request.py::test_two_merges_at_once",
    "e2e/test_watching.py::test_labelled_rows_come_back_and_the_model_learns_from_them",
    # A model of every flavor and task, trained, registered and served.
    "serving/test_matrix.py",
    "e2e/test_own_model.py", "e2e/test_trained_elsewhere.py",
    "setup/test_artifact_addition.py::test_every_flavor_is_added_with_the_contract_that_its_file_tells", "e2e/test_add.py::test_killed_at_any_moment_the_tree_is_as_it_was_or_as_it_should_be",
    "e2e/test_add.py::test_every_flavor_learns_every_task_from_a_table_with_gaps",
    # Crash loops: a command is killed at each of its steps, or at many moments.
    "deployment/test_killed.py", "deployment/test_crash_loop.py", "e2e/test_demo.py",
    "production/test_collect.py::test_killed_at_any_moment_and_two_at_once_it_ends_as_one_undisturbed_run",
    "production/test_monitor.py::test_killed_at_any_moment_it_is_filed_once_and_whole",
    # The whole replay of a month.
    "e2e/test_replay.py::test_a_month_is_served_watched_learnt_from_and_judged",
    # Fuzzing.
    "attacks/test_lightgbm_files.py::test_ten_thousand_mutations_end_no_process",
    "attacks/test_mutated_models.py::test_many_mutations_end_no_process_that_serves",
    "rollout/test_progress.py::test_no_history_breaks_the_rules",
    # Simulations.
    "metrics/test_alarms.py::test_false_alarms_stay_below_the_nominal_rate", "metrics/test_alarms.py::test_power",
    "metrics/test_scores.py::test_intervals_have_about_their_nominal_coverage",
    "metrics/test_drift.py::test_false_alarms_are_rare_without_drift",
)  # fmt: skip
PIPELINES = {"champion_template", "hosted_template", "gitlab", "jenkins", "cells", "stages"}
"""Fixtures whose models were trained."""
SERVERS = {"browser", "place", "emulated", "hosted_template", "gitlab", "jenkins", "aws", "vault", "api", "elsewhere"}
"""Fixtures that start something to be spoken with."""


def kinds_of(file: Path, test: str, fixtures: Sequence[str]) -> Iterator[str]:
    """The markers of one test of a file, by its name and by the fixtures it uses, directly or not."""
    place = file.relative_to(TESTS).as_posix()
    if place in PROOFS or f"{place}::{test.partition('[')[0]}" in PROOFS:
        yield "proof"
    if PIPELINES.intersection(fixtures):
        yield "pipeline"
    if SERVERS.intersection(fixtures):
        yield "server"
