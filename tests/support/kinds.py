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
