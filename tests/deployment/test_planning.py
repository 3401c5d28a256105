"""Plans and deliveries with a target, a forge and a history in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from modelyard.deployment import planning
from modelyard.deployment.delivery import Deployer
from modelyard.deployment.planning import Planner, has_work
from modelyard.deployment.record import Recorded, read_rollouts
from modelyard.errors import ModelyardError, Refused
from modelyard.registry.tags import read_stage_record
from modelyard.rollout.analysis import Minutes, Samples
from modelyard.rollout.plan import Live, Traffic
from modelyard.targets.interface import Health
from support.memory import MemoryTarget, MemoryYard, digest_of, memory_yard
from support.yard import CONFIG, MODEL_YAML

HOUR = 3600
CANARY = "rollout: {strategy: canary, steps: [{weight: 20, hold: 1h}, {weight: 50, hold: 1h}], deadline: 12h%s}\n"
ERRORS = ", analysis: {minimum_samples: 100, errors: {margin: 0.01}}"
ALL_GOOD = {"v1.0.0": Samples(5000, 0), "v1.1.0": Samples(5000, 0)}
FAILING = {"v1.0.0": Samples(5000, 0), "v1.1.0": Samples(5000, 4000)}


def live(yard: MemoryYard) -> Live:
    return yard.targets["production"].models["churn"]


def state_of(yard: MemoryYard) -> Recorded:
    return read_rollouts(yard.git)[("production", "churn")]  # type: ignore[arg-type]


def test_the_first_deployment_installs_routes_and_leaves_a_receipt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard = memory_yard(tmp_path, monkeypatch)
    yard.add_version("v1.0.0", approved_by=("grace",))
    yard.deploy_manifest("v1.0.0")
    [planned] = yard.plan()
    assert planned.delivery.actions == ("install v1.0.0", "route all to v1.0.0") and has_work(planned)
    assert yard.targets["production"].done == [], "a plan changes nothing"
    done = yard.deploy()
    assert (done.tag, done.live) == ("churn#production#1", "v1.0.0")
    [tag] = yard.git.tags("churn#*")
    record = read_stage_record(tag.message)
    assert record and (record.version, record.artifact) == ("v1.0.0", digest_of("v1.0.0"))
    assert (record.why, record.by, record.replaced) == ("Promote v1.0.0", "ada", "")


def test_a_reconciled_deployment_has_nothing_to_do(yard: MemoryYard) -> None:
    [planned] = yard.plan()
    assert planned.actions == () and not has_work(planned)
    done, tags = yard.targets["production"].done.copy(), yard.git.tags()
    delivered = yard.deploy()
    assert (delivered.tag, delivered.live) == (None, "v1.0.0")
    assert yard.targets["production"].done == done and yard.git.tags() == tags


def test_a_canary_takes_one_step_a_run_when_its_time_is_over(yard: MemoryYard) -> None:
    yard.deploy_manifest("v1.1.0", CANARY % "")
    shares = []
    for _ in range(4):
        yard.deploy()
        traffic = live(yard).traffic
        assert traffic
        shares.append(traffic.weight if traffic.candidate else 100)
        yard.now += HOUR
    assert shares == [20, 50, 100, 100]
    assert set(live(yard).installed) == {"v1.0.0", "v1.1.0"}, "the previous version stays installed"
    sentences = [entry.subject.partition(": ")[2] for entry in yard.git.entries(*_journal())]
    assert sentences[0].startswith("all traffic to v1.1.0") and sentences[-1].startswith("all traffic to v1.0.0")


def _journal() -> tuple[str, int]:
    return "refs/modelyard/rollouts/production/churn", 9


def test_the_journal_is_written_before_a_candidate_gains_traffic(yard: MemoryYard) -> None:
    yard.deploy_manifest("v1.1.0", CANARY % "")
    seen: list[object] = []
    target = yard.targets["production"]
    apply = target.apply

    def noted(model: str, action: object, package: object) -> None:
        recorded = state_of(yard).state
        seen.append(recorded and (recorded.candidate, recorded.weight))
        apply(model, action, package)  # type: ignore[arg-type]

    target.apply = noted  # type: ignore[method-assign]
    yard.deploy()
    assert seen == [("v1.1.0", 20.0)] * 2


def test_a_failing_analysis_rolls_back_blocks_the_artifact_and_proposes_main(yard: MemoryYard) -> None:
    yard.deploy_manifest("v1.1.0", CANARY % ERRORS)
    yard.deploy()
    yard.targets["production"].measured = FAILING
    [planned] = yard.plan()
    assert planned.delivery.rolled_back and planned.findings[0].outcome == "fail"
    done = yard.deploy()
    assert live(yard).traffic == Traffic("v1.0.0") and done.tag == "churn#production#2"
    [tag] = yard.git.tags("churn#production#2")
    record = read_stage_record(tag.message)
    assert record and record.blocked == digest_of("v1.1.0") and "errors" in record.why
    assert "modelyard/rollback/production/churn" in yard.git.branches()
    again = yard.deploy()
    assert again.rolled_back and again.actions == () and again.tag is None
    yard.deploy_manifest("latest", environment="staging")
    assert yard.plan("staging")[0].delivery.desired == "v1.0.0", "latest skips the blocked artifact"
    yard.deploy_manifest("v1.1.0", CANARY % "" + f"readmit: ['{done.tag}']\n")
    assert "20 % to v1.1.0" in yard.deploy().actions[-1]


def test_a_rollback_moves_traffic_before_it_writes_the_journal(yard: MemoryYard) -> None:
    yard.deploy_manifest("v1.1.0", CANARY % ERRORS)
    yard.deploy()
    yard.targets["production"].measured = FAILING
    target, phases = yard.targets["production"], []
    apply = target.apply

    def noted(model: str, action: object, package: object) -> None:
        recorded = state_of(yard).state
        phases.append(recorded and recorded.phase)
        apply(model, action, package)  # type: ignore[arg-type]

    target.apply = noted  # type: ignore[method-assign]
    yard.deploy()
    assert phases == ["progressing"] * 2 and (state := state_of(yard).state) and state.phase == "rolled back"


def test_too_few_samples_hold_and_an_unreadable_source_of_labels_is_inconclusive(yard: MemoryYard) -> None:
    analysis = ", analysis: {minimum_samples: 100, errors: {}, ground_truth: {margin: 0.1}}"
    yard.deploy_manifest("v1.1.0", CANARY % analysis)
    yard.deploy()
    yard.now += HOUR

    def no_labels(model: object, environment: object) -> None:
        raise ModelyardError("labels.csv is missing.", "Add it.")

    yard.targets["production"].measured = {"v1.0.0": Samples(50), "v1.1.0": Samples(5000)}
    yard.reopen()
    planner = Planner(yard.checkout, clock=lambda: yard.now, ground_truth=no_labels)
    [planned] = planner.plan({"production"}, set())
    assert planned.actions == () and "labels.csv is missing" in planned.delivery.rollout
    assert (planned.findings[0].test, planned.findings[0].outcome) == ("ground_truth", "inconclusive")
    assert "50 of 100 samples of the champion" in planned.findings[1].sentence


class Source:
    """A metrics system: what it measured of each version, or that it is down."""

    def __init__(self, measured: dict[str, Samples] | None) -> None:
        self.measured, self.asked = measured, list[tuple[str, float]]()

    def samples(self, model: str, since: float) -> dict[str, Samples]:
        self.asked.append((model, since))
        if self.measured is None:
            raise ModelyardError("Prometheus at http://prometheus.example does not answer (timeout).", "Start it.")
        return self.measured


def measured_by(yard: MemoryYard, monkeypatch: pytest.MonkeyPatch, source: Source) -> None:
    config = CONFIG.replace("8080}", "8080, samples: {type: prometheus, url: 'http://prometheus.example', query: q}}")
    yard.commit({"modelyard.yaml": config}, "Samples from Prometheus")
    monkeypatch.setattr("modelyard.deployment.step_analysis.open_source", lambda environment, secrets: source)
    yard.reopen()


def test_a_metrics_system_judges_a_canary_in_place_of_the_target(
    yard: MemoryYard, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source(ALL_GOOD)
    measured_by(yard, monkeypatch, source)
    yard.deploy_manifest("v1.1.0", CANARY % ERRORS)
    yard.deploy()
    begun, yard.now = yard.now, yard.now + HOUR
    yard.targets["production"].measured = FAILING  # the target's own would fail it
    [planned] = yard.plan()
    assert planned.findings[0].outcome == "pass" and planned.actions
    model, since = source.asked[-1]
    assert model == "churn" and since == begun
    source.measured = FAILING
    assert yard.deploy().rolled_back


def test_a_metrics_system_that_is_down_holds_the_step_and_says_why(
    yard: MemoryYard, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured_by(yard, monkeypatch, Source(None))
    yard.deploy_manifest("v1.1.0", CANARY % ERRORS)
    yard.deploy()
    yard.now += HOUR
    [planned] = yard.plan()
    assert planned.fault is None and planned.actions == ()
    assert (planned.findings[0].test, planned.findings[0].outcome) == ("samples", "inconclusive")
    assert "http://prometheus.example does not answer" in planned.delivery.rollout
    yard.targets["production"].state = Health("failed", "it cannot be loaded")
    assert yard.deploy().rolled_back, "a candidate that does not work needs no samples"


def test_a_plan_says_how_much_traffic_the_analysis_will_need(yard: MemoryYard) -> None:
    now = int(yard.now // 60)
    minutes = Minutes(requests=np.arange(now - 100, now).repeat(50))
    yard.targets["production"].measured = {"v1.0.0": Samples(5000, 50, minutes=minutes)}
    yard.deploy_manifest("v1.1.0", CANARY % ", analysis: {errors: {margin: 0.02}}")
    [planned] = yard.plan()
    assert "errors needs about" in planned.delivery.rollout and "to pass at 20 %" in planned.delivery.rollout


def test_after_a_switch_the_champion_is_measured_before_it(yard: MemoryYard) -> None:
    rollout = "rollout: {strategy: blue-green, keep: 1h, analysis: {minimum_samples: 10, errors: {}}}\n"
    yard.deploy_manifest("v1.1.0", rollout)
    yard.deploy()
    asked: list[float] = []

    def samples(model: str, since: float, analysis: object, ground_truth: object) -> dict[str, Samples]:
        asked.append(yard.now - since)
        both = {"v1.0.0": Samples(5000), "v1.1.0": Samples(5000)}
        return both if asked[-1] > HOUR else {"v1.1.0": Samples(5000)}

    yard.targets["production"].samples = samples  # type: ignore[method-assign]
    yard.now += 60
    [planned] = yard.plan()
    assert asked == [60, 60 + 86_400] and [finding.outcome for finding in planned.findings] == ["pass"]


@pytest.mark.parametrize(
    ("verdict", "said"), [("fail", "has the verdict 'fail'"), ("inconclusive", "has the verdict"), ("", "verdict ''")]
)
def test_a_version_that_the_gate_did_not_pass_is_refused(yard: MemoryYard, verdict: str, said: str) -> None:
    yard.add_version("v1.2.0", verdict=verdict)
    yard.deploy_manifest("v1.2.0")
    [planned] = yard.plan()
    assert said in planned.delivery.skipped and isinstance(planned.fault, Refused)
    with pytest.raises(Refused):
        yard.deploy()
    assert live(yard).serving == "v1.0.0"


def test_handmade_withdrawn_and_archived_versions_are_refused(yard: MemoryYard) -> None:
    yard.add_tag("churn@v1.2.0")
    yard.deploy_manifest("v1.2.0")
    assert "The tag churn@v1.2.0 was made by hand" in yard.plan()[0].delivery.skipped
    yard.tag("churn@v1.1.0!", "HEAD", 'gone\n\n{"why":"leaks"}')
    yard.deploy_manifest("v1.1.0")
    assert "out of use: leaks" in yard.plan()[0].delivery.skipped
    yard.tag("churn@deprecated", "HEAD", "by hand")
    yard.deploy_manifest("v1.0.0")
    assert "see the tag churn@deprecated" in yard.plan()[0].delivery.skipped
    yard.deploy_manifest("v9.0.0")
    assert "has no version v9.0.0" in yard.plan()[0].delivery.skipped


def test_latest_waits_for_a_first_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    yard = memory_yard(tmp_path, monkeypatch)
    yard.deploy_manifest("latest")
    [planned] = yard.plan()
    assert (planned.delivery.skipped, planned.fault) == ("no version yet", None)


def test_a_strategy_that_the_target_does_not_support_is_refused(yard: MemoryYard) -> None:
    yard.targets["production"].strategies = ("all-at-once", "blue-green")
    yard.deploy_manifest("v1.1.0", CANARY % "")
    [planned] = yard.plan()
    assert "uses the strategy canary" in planned.delivery.skipped and planned.fault
    assert planned.fault.remedy == "Use one of: all-at-once, blue-green."


def test_an_unreachable_target_stops_only_its_own_deployments(
    yard: MemoryYard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable() -> dict[str, Live]:
        raise ModelyardError("The target does not answer.", "Start it.")

    yard.deploy_manifest("v1.1.0", environment="staging")
    monkeypatch.setattr(yard.targets["staging"], "observe", unreachable)
    planner = yard.planner()
    staging, production = planner.plan({"staging", "production"}, set())
    assert staging.delivery.skipped == "failed: The target does not answer." and staging.fault
    assert production.fault is None and production.delivery.live == "v1.0.0"
    done, faults = Deployer(planner, yard.forge, yard.said.append).deliver_all([staging, production])  # type: ignore[arg-type]
    assert [delivery.skipped for delivery in done] == [staging.delivery.skipped, ""] and faults == [staging.fault]


def set_environment(yard: MemoryYard, setting: str) -> None:
    """Adds a setting to production in modelyard.yaml."""
    config = (yard.root / "modelyard.yaml").read_text()
    line = "  - {name: production, target: local, port: 8080"
    yard.commit({"modelyard.yaml": config.replace(line, f"{line}, {setting}")}, setting)
    yard.reopen()


def test_bake_time_holds_a_version_until_it_has_served_long_enough(yard: MemoryYard) -> None:
    set_environment(yard, "bake: 2h")
    yard.deploy_manifest("v1.1.0")
    assert "has never served in staging" in yard.plan()[0].delivery.skipped
    yard.add_stage("v1.1.0", "staging", at=yard.now)
    yard.now += HOUR
    assert yard.plan()[0].delivery.skipped == "v1.1.0 has served for 1.0 h in staging; production requires 2h"
    yard.now += HOUR
    assert yard.deploy().live == "v1.1.0"


def test_a_freeze_holds_new_versions_and_running_rollouts_but_no_rollback(yard: MemoryYard) -> None:
    yard.deploy_manifest("v1.1.0", CANARY % ERRORS)
    yard.deploy()
    set_environment(yard, "freezes: [{why: stocktaking, last: '2099-01-01'}]")
    yard.targets["production"].measured = ALL_GOOD
    yard.now += HOUR
    held = yard.deploy()
    assert held.actions == () and "production is frozen until 2099-01-01: stocktaking" in held.rollout
    assert (traffic := live(yard).traffic) and traffic.weight == 20
    yard.add_version("v1.2.0")
    yard.deploy_manifest("v1.0.0")
    assert yard.deploy().live == "v1.0.0" and live(yard).traffic == Traffic("v1.0.0")
    yard.deploy_manifest("v1.2.0")
    assert "frozen" in yard.plan()[0].delivery.skipped


def test_a_model_without_a_deployment_is_removed_and_a_foreign_one_is_not(yard: MemoryYard) -> None:
    target = yard.targets["production"]
    target.models["foreign"] = Live(Traffic("v9"), {"v9": "f" * 64})
    path = "deployments/production/churn.yaml"
    (yard.root / path).unlink()
    yard.git.commit_files({path: None}, "Retire churn")
    [planned] = yard.plan()
    assert planned.delivery.desired == "nothing" and planned.deployment is None and has_work(planned)
    done = yard.deploy()
    assert (done.live, done.tag) == (None, "churn#production!#2")
    assert set(target.models) == {"foreign"}
    assert yard.checkout.history("churn").assigned("production") is None
    assert yard.plan() == []


def test_a_concurrent_run_makes_deploy_plan_again(yard: MemoryYard) -> None:
    yard.deploy_manifest("v1.1.0", CANARY % "")
    planner = yard.planner()
    [planned] = planner.plan({"production"}, set())
    yard.deploy()  # the other run takes the first step
    before = yard.targets["production"].done.copy()
    done = Deployer(planner, yard.forge, yard.said.append).deliver(planned)  # type: ignore[arg-type]
    assert yard.targets["production"].done == before and done.progressing
    assert len(yard.git.entries(*_journal())) == 2, "one entry for each version, none twice"


def test_endless_concurrent_runs_end_with_an_error(yard: MemoryYard, monkeypatch: pytest.MonkeyPatch) -> None:
    from modelyard.git import RefRejected

    def rejected(ref: str, before: str, message: str) -> str:
        raise RefRejected(("push", ref), "")

    monkeypatch.setattr(yard.git, "add_entry", rejected)
    yard.deploy_manifest("v1.1.0")
    with pytest.raises(ModelyardError) as failed:
        yard.deploy()
    assert failed.value.problem == "5 concurrent runs changed churn in production."
    assert failed.value.remedy == "Run modelyard deploy again."


def test_another_desired_version_ends_the_rollout_before_its_own_begins(yard: MemoryYard) -> None:
    yard.deploy_manifest("v1.1.0", CANARY % "")
    yard.deploy()
    yard.add_version("v1.2.0")
    yard.deploy_manifest("v1.2.0", CANARY % "")
    yard.deploy()
    assert live(yard).traffic and (traffic := live(yard).traffic)
    assert (traffic.stable, traffic.candidate, traffic.weight) == ("v1.0.0", "v1.2.0", 20)
    sentences = [entry.subject for entry in yard.git.entries(*_journal())]
    assert "main no longer names v1.1.0" in sentences[1]


def test_only_the_chosen_models_are_planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    yard = memory_yard(tmp_path, monkeypatch, ("churn", "price"))
    for model in ("churn", "price"):
        yard.add_version("v1.0.0", model)
        yard.commit({f"deployments/staging/{model}.yaml": f"model: {model}\nversion: v1.0.0\n"}, "deploy")
    yard.reopen()
    assert [p.delivery.model for p in yard.planner().plan({"staging"}, {"price"})] == ["price"]
    assert [p.delivery.model for p in yard.planner().plan({"staging"}, set())] == ["churn", "price"]
    assert yard.planner().plan({"production"}, set()) == []


def test_each_target_is_opened_and_observed_once(yard: MemoryYard, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    observed: list[int] = []
    target = yard.targets["production"]

    def open_target(environment: object, root: object, secrets: object) -> MemoryTarget:
        opened.append("production")
        return target

    def observe() -> dict[str, Live]:
        observed.append(1)
        return dict(target.models)

    monkeypatch.setattr(planning, "open_target", open_target)
    monkeypatch.setattr(target, "observe", observe)
    planner = yard.planner()
    planner.plan({"production"}, set())
    planner.plan({"production"}, set())
    assert (len(opened), len(observed)) == (1, 1)


VERSIONS = ("v1.0.0", "v1.1.0", "v1.2.0")
EVENTS = st.tuples(
    st.sampled_from(VERSIONS),
    st.sampled_from(["pass", "fail", "unknown", "broken"]),
    st.sampled_from([0, HOUR, 5 * HOUR]),
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["", "canary", "blue-green"]), st.lists(EVENTS, min_size=1, max_size=5))
def test_any_history_of_runs_keeps_journal_receipts_and_target_together(
    tmp_path_factory: pytest.TempPathFactory, strategy: str, events: list[tuple[str, str, int]]
) -> None:
    rollout = CANARY % ERRORS if strategy == "canary" else f"rollout: {{strategy: {strategy}, keep: 1h}}\n"
    with pytest.MonkeyPatch.context() as patch:
        yard = memory_yard(tmp_path_factory.mktemp("yard"), patch)
        for version in VERSIONS:
            yard.add_version(version)
        yard.deploy_manifest("v1.0.0")
        yard.deploy()
        for wanted, measured, wait in events:
            yard.deploy_manifest(wanted, rollout if strategy else "")
            target = yard.targets["production"]
            bad = int(measured == "fail")
            target.measured = {v: Samples(5000, 4000 * bad if v == wanted else 0) for v in VERSIONS}
            target.measured = {} if measured == "unknown" else target.measured
            target.state = Health("failed", "it crashed") if measured == "broken" else Health("healthy")
            yard.now += wait
            yard.deploy()
            check(yard)
        blocked = {known.record.blocked for known in yard.view().history.rollbacks() if known.record}
        assert live(yard).serving is not None
        for _ in range(4):  # a judged rollout comes to rest
            yard.now += 6 * HOUR
            yard.deploy()
        done = yard.targets["production"].done.copy()
        yard.deploy()
        assert yard.targets["production"].done == done
        check(yard)
        serving = live(yard).serving
        assert serving and (digest_of(serving) not in blocked or serving == "v1.0.0")


def check(yard: MemoryYard) -> None:
    """Traffic is what the journal records, artifacts are the registered ones, and the receipt names what serves."""
    state, found = state_of(yard).state, live(yard)
    assert state and found.traffic == state.traffic
    assert all(sha == digest_of(version) for version, sha in found.installed.items())
    assigned = yard.view().history.assigned("production")
    assert assigned and assigned.version == state.serving == found.serving


def test_arrays_of_samples_reach_the_tests(yard: MemoryYard) -> None:
    rule = ", analysis: {minimum_samples: 10, latency: {quantile: 0.5, maximum_milliseconds: 5}}"
    yard.deploy_manifest("v1.1.0", CANARY % rule)
    yard.deploy()
    slow = Samples(2000, 0, np.full(2000, 50.0))
    yard.targets["production"].measured = {"v1.0.0": slow, "v1.1.0": slow}
    assert "above the limit of 5 ms" in yard.plan()[0].findings[0].sentence


def test_a_flavor_that_the_target_does_not_serve_is_refused(yard: MemoryYard) -> None:
    yard.commit({"models/churn/model.yaml": MODEL_YAML.format(name="churn") + "flavor: {name: catboost}\n"}, "CatBoost")
    yard.add_version("v2.0.0")
    target = CONFIG.replace("target: local", "target: seldon")
    assert target != CONFIG
    yard.commit({"modelyard.yaml": target}, "Seldon")
    yard.deploy_manifest("v2.0.0")
    [planned] = yard.plan()
    assert planned.delivery.skipped == (
        "refused: The target seldon does not serve churn, whose flavor is catboost."
    ) and isinstance(planned.fault, Refused)
    assert "local, container, mlserver" in planned.fault.remedy
