from __future__ import annotations

import json
from pathlib import Path

import pytest
from modelyard.manifests.references import check_repository
from modelyard.manifests.repository import ModelRepository
from support.yard import CONFIG, DVC_YAML, MODEL_YAML, small_repository, tool, write


@pytest.fixture
def yard(tmp_path: Path) -> Path:
    return small_repository(tmp_path)


def faults(yard: Path, versions: dict[str, set[str]] | None = None) -> list[str]:
    return [
        str(problem) for problem in check_repository(ModelRepository(yard), versions if versions is not None else {})
    ]


def test_a_sound_repository_has_none(yard: Path) -> None:
    assert faults(yard) == []
    assert "All manifests are valid" in tool(yard, "validate").stderr


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("deployments/staging/chrun.yaml", "model: chrun\nversion: latest\n", "Did you mean 'churn'?"),
        ("deployments/production/churn.yaml", "model: churn\nversion: v1.0.1\n", "there is no tag churn@v1.0.1. Did you mean 'v1.0.0'?"),
        ("deployments/stagin/churn.yaml", "model: churn\nversion: latest\n", "Did you mean 'staging'?"),
        ("models/churn/model.yaml", MODEL_YAML.format(name="churn").replace("standard", "standrad"), "Did you mean 'standard'?"),
        ("models/churn/model.yaml", MODEL_YAML.format(name="chrun"), "the path says 'churn'"),
        ("models/churn/model.yaml", MODEL_YAML.format(name="churn").replace("model.txt", "model.bin"), "is not an output"),
        ("models/churn/model.yaml", MODEL_YAML.format(name="churn").replace("label: label", "label: x"), "is the contract's label"),
        ("models/churn/model.yaml", MODEL_YAML.format(name="churn") + "    - {name: e, type: vector, length: 2}\n    - {name: e_1, type: float}\n",
         "'e_1' is also a library's name for a number of the vector 'e'"),
        ("models/churn/model.yaml", MODEL_YAML.format(name="churn").replace("binary", "multiclass"), "fewer than two classes"),
        ("models/churn/model.yaml", MODEL_YAML.format(name="churn").replace("binary", "ranking"), "needs the column of the query"),
        ("models/churn/model.yaml", MODEL_YAML.format(name="churn") + "ground_truth: {query: select 1}\n", "names neither uri nor sql"),
        ("models/churn/model.yaml", MODEL_YAML.format(name="churn") + "ground_truth: {uri: x, sql: 'env:A'}\n", "names both uri and sql"),
        ("models/churn/model.yaml", MODEL_YAML.format(name="churn") + "ground_truth: {sql: 'env:A'}\n", "needs sql and query together"),
        ("models/churn/model.yaml", MODEL_YAML.format(name="churn") + "ground_truth: {uri: x, columns: {labl: y}}\n", "Did you mean 'label'?"),
        ("models/a b/model.yaml", "", "is not a valid model name"),
        ("models/empty/notes.txt", "", "contains no model.yaml"),
    ],
)  # fmt: skip
def test_dangling_references(yard: Path, file: str, content: str, expected: str) -> None:
    write(yard, {file: content})
    found = faults(yard, {"churn": {"v1.0.0"}})
    assert any(expected in line for line in found), found


POLICY = """\
name: own
description: d
checks:
  - {id: ranks, kind: threshold, why: w, metric: auc, minimum: 0.5}
  - {id: fair, kind: fairness, why: w, measure: demographic_parity_ratio, minimum: 0.8}
  - {id: safe, kind: artifact, why: w, formats: [skops, lightgbm-txt]}
"""


def test_a_rule_that_no_model_can_meet_is_refused_where_it_stands(yard: Path) -> None:
    write(yard, {"policies/own.yaml": POLICY})
    assert faults(yard) == [
        "policies/own.yaml:6: checks[2].formats[1] 'lightgbm-txt' is not a known format. Did you mean 'lightgbm-text'?"
    ]
    for name, task in (("churn", "binary"), ("price", "regression"), ("cost", "regression")):
        content = MODEL_YAML.format(name=name).replace("standard", "own").replace("binary", task)
        write(yard, {f"models/{name}/model.yaml": content, f"models/{name}/dvc.yaml": DVC_YAML})
    found = faults(yard)
    assert found[:4] == [
        "policies/own.yaml:4: checks[0] the rule ranks can never be judged for models/cost, models/price: auc is not"
        " measured for regression models. Add tasks: [binary] to the rule, and a rule for regression models.",
        "policies/own.yaml:5: checks[1] the rule fair can never be judged for models/churn: model.yaml declares no groups."
        " Declare evaluation.groups in model.yaml, or add only_with: [groups] to the rule.",
        "policies/own.yaml:5: checks[1] the rule fair can never be judged for models/cost, models/price: a rule of the"
        " kind fairness is not judged for regression models. Add tasks: [binary] to the rule.",
        "policies/own.yaml:6: checks[2].formats the rule safe allows no format that models/churn, models/cost, models/price"
        " can have: lightgbm-text. Add it to formats, or keep the model in a format that is allowed.",
    ]
    mended = POLICY.replace("metric: auc", "metric: auc, tasks: [binary]").replace("lightgbm-txt", "lightgbm-text")
    write(
        yard,
        {"policies/own.yaml": mended.replace("minimum: 0.8", "minimum: 0.8, tasks: [binary], only_with: [groups]")},
    )
    assert faults(yard) == []


def test_the_time_of_a_row_is_not_measured_of_what_scores_batches_only(yard: Path) -> None:
    policy = (yard / "policies/standard.yaml").read_text()
    policy = policy.replace("maximum_bytes: 500000000", "maximum_bytes: 500000000\n    maximum_row_milliseconds: 5")
    batch = MODEL_YAML.format(name="churn") + "flavor: {name: command, command: [score]}\n"
    write(yard, {"policies/standard.yaml": policy})
    assert faults(yard) == []
    write(yard, {"models/churn/model.yaml": batch})
    found = [line for line in faults(yard) if "policies/standard.yaml" in line]
    assert len(found) == 1 and "maximum_row_milliseconds the rule safe-format can never be judged" in found[0]


@pytest.mark.parametrize(
    ("target", "flavor", "expected"),
    [
        ("seldon", "", None),
        (
            "seldon",
            "{name: catboost}",
            "Deploy it to an environment with one of the targets local, container, mlserver, ",
        ),
        ("local", "{name: command, command: [score]}", "scores batches only"),
        ("cloud-of-ours", "{name: catboost}", None),
    ],
)
def test_a_target_that_does_not_serve_the_flavor(yard: Path, target: str, flavor: str, expected: str | None) -> None:
    config = (yard / "modelyard.yaml").read_text().replace("target: local, port: 8081", f"target: {target}")
    model = MODEL_YAML.format(name="churn") + (f"flavor: {flavor}\n" if flavor else "")
    policy = (yard / "policies/standard.yaml").read_text()
    write(yard, {"modelyard.yaml": config, "models/churn/model.yaml": model, "policies/standard.yaml": policy})
    found = faults(yard)
    if expected is None:
        assert found == []
        return
    [line] = found
    assert line.startswith(f"deployments/staging/churn.yaml:1: model the target {target} does not serve churn")
    assert expected in line


CANARY = "model: churn\nversion: v1.0.0\nrollout: {{strategy: canary, {}}}\n"


@pytest.mark.parametrize(
    ("rollout", "expected"),
    [
        ("steps: [{weight: 20}, {weight: 10}]", "10 % is not more than the 20 %"),
        ("steps: [{weight: 0}]", "is 0, so the step has no traffic to analyse"),
        ("steps: [{mirror: true}, {weight: 10}, {weight: 50}]", ""),
        ("strategy: shadow, steps: [{weight: 5}]", "shadow moves all traffic at once"),
        ("strategy: blue-green, steps: [{weight: 5}]", "blue-green moves all traffic at once"),
        ("strategy: all-at-once, steps: [{weight: 5}]", "all-at-once has no steps"),
        ("strategy: all-at-once, analysis: {errors: {}}", "no step to analyse"),
        ("steps: [{weight: 5, hold: 30h}]", "24h is not longer than the steps"),
        ("strategy: blue-green, keep: 2d", "24h is not longer than the steps"),
        ("key: lable", "neither an input nor the id of the contract"),
        ("analysis: {latency: {quantile: 0.9}}", "sets no limit"),
    ],
)
def test_rollouts_that_cannot_work(yard: Path, rollout: str, expected: str) -> None:
    content = (
        CANARY.format(rollout)
        if "strategy" not in rollout
        else CANARY.format(rollout).replace("strategy: canary, ", "")
    )
    write(yard, {"deployments/production/churn.yaml": content})
    found = faults(yard, {"churn": {"v1.0.0"}})
    assert [line for line in found if expected in line] if expected else found == [], found


@pytest.mark.parametrize(
    ("samples", "analysis", "lacks"),
    [
        ("type: prometheus, url: 'http://p', query: q, errors: e", "errors: {}, scores: {margin: 0.1}", ["scores"]),
        ("type: prometheus, url: 'http://p', query: q", "errors: {}, latency: {maximum_ratio: 2}", ["errors", "latency"]),
        ("type: cloudwatch", "errors: {}, ground_truth: {margin: 0.1}, confidence: {margin: 0.1}", ["confidence", "ground_truth"]),
        ("type: prometheus, url: 'http://p', query: q, errors: e, latency: l", "errors: {}, latency: {maximum_ratio: 2}", []),
    ],
)  # fmt: skip
def test_a_test_that_the_metrics_system_has_no_samples_for_is_a_fault(
    yard: Path, samples: str, analysis: str, lacks: list[str]
) -> None:
    write(yard, {
        "modelyard.yaml": CONFIG.replace("port: 8080", f"port: 8080, samples: {{{samples}}}"),
        "deployments/production/churn.yaml": CANARY.format(f"analysis: {{{analysis}}}"),
    })  # fmt: skip
    found = [line for line in faults(yard, {"churn": {"v1.0.0"}}) if "cannot be tested" in line]
    assert sorted(line.split(" cannot")[0].rpartition(".")[2] for line in found) == sorted(lacks), found


def test_only_a_rollback_of_this_deployment_can_be_readmitted(yard: Path) -> None:
    write(yard, {"deployments/production/churn.yaml": "model: churn\nversion: v1.0.0\nreadmit: [churn#production#2]\n"})
    assert faults(yard, {"churn": {"v1.0.0"}}) == []
    write(yard, {"deployments/production/churn.yaml": "model: churn\nversion: v1.0.0\nreadmit: [churn#staging#2]\n"})
    assert "not a tag of a rollback of churn in production" in faults(yard, {"churn": {"v1.0.0"}})[0]


def test_a_freeze_that_never_ends(yard: Path) -> None:
    config = (yard / "modelyard.yaml").read_text()
    for freeze, expected in (
        ("{why: x}", "has no end"),
        ('{why: x, first: "2026-12-24", last: "2026-12-20"}', "is before"),
        ("{why: x, days: [friday]}", ""),
    ):
        (yard / "modelyard.yaml").write_text(config.replace("name: staging", f"name: staging, freezes: [{freeze}]"))
        found = faults(yard)
        assert [line for line in found if expected in line] if expected else found == [], found


def waiver(**changes: str) -> str:
    fields = {
        "model": "churn", "check": "auc-floor", "artifact": "a" * 64, "reason": "r", "requested_by": "ada",
        "approved_by": "grace", "expires": '"2026-12-31"',
    }  # fmt: skip
    return "".join(f"{k}: {v}\n" for k, v in (fields | changes).items())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"expires": '"2026-02-31"'}, "is not a valid date"),
        ({"expires": "soon"}, "such as 2026-05-31"),
        ({"approved_by": "ada"}, "Somebody else"),
        ({"check": "no-leak"}, "cannot be waived"),
        ({"check": "auc-flor"}, "Did you mean 'auc-floor'?"),
        ({"artifact": "abc"}, "64 hexadecimal digits"),
    ],
)
def test_waivers(yard: Path, changes: dict[str, str], expected: str) -> None:
    write(yard, {"waivers/w.yaml": waiver()})
    assert faults(yard) == []
    write(yard, {"waivers/w.yaml": waiver(**changes)})
    assert any(expected in line for line in faults(yard))


def test_all_at_once_in_every_form(yard: Path) -> None:
    write(
        yard, {"modelyard.yaml": "toolkit: x\nenvironmnts: []\n", "deployments/staging/churn.yaml": "model: nobody\n"}
    )
    text = tool(yard, "validate", expect=1)
    assert len(text.stdout.splitlines()) >= 4
    listed = json.loads(tool(yard, "validate", "--json", expect=1).stdout)
    assert {"file", "line", "field", "problem", "remedy"} == set(listed[0])
    lines = tool(yard, "validate", "--format", "github", expect=1).stdout.splitlines()
    assert all(line.startswith("::error file=") and ",line=" in line for line in lines)
    assert len(lines) == len(listed) == len(text.stdout.splitlines())
