"""What an attacker tries with a crafted XGBoost file: to end the process that loads it, or that answers with it."""

from __future__ import annotations

import copy
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from modelyard.flavors.interface import Fault, Options
from modelyard.flavors.signature import Input, Signature
from modelyard.flavors.unsound import Unsound
from modelyard.flavors.xgboost import XGBoost
from modelyard.flavors.xgboost_file import check_model

SIGNATURE = Signature(
    "m", "v1.0.0", "binary", (Input("a", "float"), Input("c", "string", categories=tuple("abcdefgh")), Input("b", "float")),
)  # fmt: skip
VARIANTS: dict[str, dict[str, Any]] = {
    "binary": {"objective": "binary:logistic"},
    "classes": {"objective": "multi:softprob", "num_class": 3},
    "dropped": {"objective": "binary:logistic", "booster": "dart", "rate_drop": 0.5},
    "parallel": {"objective": "binary:logistic", "num_parallel_tree": 3, "subsample": 0.5},
    "pruned": {"objective": "binary:logistic", "tree_method": "exact", "gamma": 5, "max_depth": 5},
    "weights": {"objective": "binary:logistic", "booster": "gblinear"},
    "vectors": {"objective": "multi:softprob", "num_class": 3, "multi_strategy": "multi_output_tree"},
    "quantiles": {"objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.9]},
    "ranks": {"objective": "rank:ndcg"},
    "counts": {"objective": "count:poisson"},
    "leaf": {"objective": "binary:logistic", "gamma": 1e9},
}
PLAIN = ("pruned", "weights", "vectors")
"""Those whose training takes no categories."""


@pytest.fixture(scope="module")
def boosters() -> dict[str, Any]:
    import pandas as pd
    import xgboost

    rng = np.random.default_rng(0)
    codes = rng.integers(0, 8, 300)
    frame = pd.DataFrame({
        "a": rng.normal(size=300), "c": pd.Categorical.from_codes(codes, list("abcdefgh")), "b": rng.normal(size=300),
    })  # fmt: skip
    label = ((frame["a"] > 0) ^ (codes < 3)).astype(int)
    found = {}
    for name, settings in VARIANTS.items():
        table = frame.assign(c=codes) if name in PLAIN else frame
        target = label + (frame["b"] > 0) if "num_class" in settings else label
        data = xgboost.DMatrix(table, target, enable_categorical=True)
        if name == "ranks":
            data.set_group([10] * 30)
        found[name] = xgboost.train({"nthread": 1, "max_depth": 3, "verbosity": 0, **settings}, data, 2)
    return found


@pytest.fixture(scope="module")
def document(boosters: dict[str, Any]) -> dict[str, Any]:
    """The binary model: its first tree splits by number and by category."""
    found: dict[str, Any] = json.loads(bytes(boosters["binary"].save_raw("json")))
    assert {0, 1} == set(found["learner"]["gradient_booster"]["model"]["trees"][0]["split_type"])
    return found


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("form", ["json", "ubj"])
def test_sound_files_pass(boosters: dict[str, Any], name: str, form: str) -> None:
    check_model(bytes(boosters[name].save_raw(form)))


def test_an_attribute_may_hold_an_escape_of_its_own(boosters: dict[str, Any]) -> None:
    booster = boosters["leaf"].copy()
    booster.set_attr(note=json.dumps({"größe": "\n\\"}), best_iteration="3")
    for form in ("json", "ubj"):
        check_model(bytes(booster.save_raw(form)))


def test_what_an_older_version_wrote_passes(document: dict[str, Any]) -> None:
    """XGBoost 1.7 and 2 wrote one base score, and neither lists of categories nor steps."""
    found = copy.deepcopy(document)
    found["learner"]["learner_model_param"]["base_score"] = "5E-1"
    del found["learner"]["learner_model_param"]["num_target"]
    model = found["learner"]["gradient_booster"]["model"]
    del model["cats"], model["iteration_indptr"]
    model["gbtree_model_param"]["size_leaf_vector"] = "0"
    for tree in model["trees"]:
        tree["default_left"] = [bool(value) for value in tree["default_left"]]
    check_model(json.dumps(found).encode())


Change = Callable[[dict[str, Any]], object]


def tree(change: Change) -> Change:
    return lambda found: change(found["learner"]["gradient_booster"]["model"]["trees"][0])


def model(change: Change) -> Change:
    return lambda found: change(found["learner"]["gradient_booster"]["model"])


def learner(change: Change) -> Change:
    return lambda found: change(found["learner"])


def put(key: str, value: Any, at: int | None = None) -> Change:
    """Another value for a key, or at one place of its list."""

    def change(found: dict[str, Any]) -> None:
        if at is None:
            found[key] = value
        else:
            found[key][at] = value

    return change


CRAFTED: dict[str, Change] = {
    "feature_high": tree(put("split_indices", 99_999_999, 1)),
    "feature_low": tree(put("split_indices", -1, 1)),
    "feature_huge": tree(put("split_indices", 2**63, 1)),
    "child_high": tree(put("left_children", 2_000_000, 1)),
    "child_low": tree(put("left_children", -2, 1)),
    "child_of_itself": tree(put("left_children", 1, 1)),
    "child_is_first_node": tree(put("left_children", 0, 1)),
    "child_twice": tree(put("left_children", 2, 1)),
    "half_a_leaf": tree(put("left_children", -1, 1)),
    "parent_high": tree(put("parents", 99_999_999, 1)),
    "parent_of_another": tree(put("parents", 2, 1)),
    "id_of_another_tree": tree(put("id", 1)),
    "id_huge": tree(put("id", 10**9)),
    "conditions_short": tree(lambda t: t["split_conditions"].pop()),
    "weights_short": tree(lambda t: t["base_weights"].pop()),
    "hessian_short": tree(lambda t: t["sum_hessian"].pop()),
    "leaf_infinite": tree(put("split_conditions", float("inf"), -1)),
    "split_at_nan": tree(put("split_conditions", float("nan"), 0)),
    "nodes_huge": tree(lambda t: t["tree_param"].update(num_nodes="2000000000")),
    "nodes_negative": tree(lambda t: t["tree_param"].update(num_nodes="-1")),
    "deleted_nodes": tree(lambda t: t["tree_param"].update(num_deleted="1")),
    "tree_features": tree(lambda t: t["tree_param"].update(num_feature="2000000000")),
    "leaf_vectors": tree(lambda t: t["tree_param"].update(size_leaf_vector="77")),
    "category_huge": tree(put("categories", 2**31 - 1, 0)),
    "category_negative": tree(put("categories", -1, 0)),
    "category_sizes": tree(put("categories_sizes", 77, 0)),
    "category_segments": tree(put("categories_segments", 77, 0)),
    "category_nodes": tree(put("categories_nodes", 77, 0)),
    "categories_empty": tree(put("categories", [])),
    "split_type_unknown": tree(put("split_type", 7, 0)),
    "number_as_category": tree(put("split_type", 1, 0)),
    "direction_unknown": tree(put("default_left", 7, 0)),
    "unknown_key": tree(put("leaf_child_counts", [])),
    "no_children": tree(lambda t: t.pop("left_children")),
    "children_are_text": tree(put("left_children", "1")),
    "children_are_real": tree(put("left_children", 1.5, 1)),
    "tree_count": model(lambda m: m["gbtree_model_param"].update(num_trees="77")),
    "tree_missing": model(lambda m: m["trees"].pop()),
    "group_high": model(put("tree_info", 77, 0)),
    "group_negative": model(put("tree_info", -1, 0)),
    "groups_short": model(put("tree_info", [0])),
    "steps_high": model(put("iteration_indptr", 77, -1)),
    "steps_falling": model(put("iteration_indptr", [0, 2, 1])),
    "steps_negative": model(put("iteration_indptr", -5, 0)),
    "lists_cut": model(lambda m: m["cats"]["enc"].pop()),
    "list_offsets": model(lambda m: m["cats"]["enc"][1].update(offsets=[0, 99_999_999])),
    "list_order": model(lambda m: m["cats"].update(sorted_idx=[99_999_999] * len(m["cats"]["sorted_idx"]))),
    "list_segments": model(lambda m: m["cats"].update(feature_segments=[0, 0, 99_999_999, 8])),
    "list_no_text": model(lambda m: m["cats"]["enc"][1].update(values=[-1] * 8)),
    "classes_huge": learner(lambda m: m["learner_model_param"].update(num_class="1000000000")),
    "targets_huge": learner(lambda m: m["learner_model_param"].update(num_target="1000000000")),
    "features_huge": learner(lambda m: m["learner_model_param"].update(num_feature="2000000000")),
    "features_more": learner(lambda m: m["learner_model_param"].update(num_feature="4")),
    "score_nan": learner(lambda m: m["learner_model_param"].update(base_score="nan")),
    "score_infinite": learner(lambda m: m["learner_model_param"].update(base_score="[1e999]")),
    "scores_many": learner(lambda m: m["learner_model_param"].update(base_score="[5E-1,5E-1]")),
    "names_short": learner(put("feature_names", ["a"])),
    "name_no_text": learner(put("feature_names", 5, 0)),
    "objective_classes": learner(put("objective", {"name": "multi:softprob", "softmax_multiclass_param": {"num_class": "77"}})),
    "objective_no_text": learner(put("objective", {"name": ["binary:logistic"]})),
    "booster_unknown": learner(lambda m: m["gradient_booster"].update(name="gbmystery")),
    "attributes_nested": learner(put("attributes", {"a": {"b": []}})),
    "configuration": put("Config", {}),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CRAFTED))
def test_to_end_the_server_with_a_crafted_xgboost_model(name: str, document: dict[str, Any], tmp_path: Path) -> None:
    crafted = copy.deepcopy(document)
    CRAFTED[name](crafted)
    assert crafted != document
    file = tmp_path / "model.json"
    file.write_text(json.dumps(crafted))
    for refuse in (XGBoost().check, lambda path: XGBoost().load(path, SIGNATURE, Options(threads=1))):
        with pytest.raises(Fault, match=r"model\.json is not a valid XGBoost model: ") as caught:
            refuse(file)
        assert caught.value.remedy


LEARNER = b"{L" + struct.pack(">q", 7) + b"learner"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"learner":' + b"[" * 100_000, "nested"),
        (b'{"learner":{},"learner":{}}', "twice"),
        (b'{"version":[3,2,0],"l\\u0065arner":{}}', "does not know"),
        (b'{"learner":{"a":"\xff"}}', "UTF-8"),
        (b'{"learner":' + b"9" * 5000 + b"}", "no object|digits"),
        (b'{"learner":', "no JSON"),
        (LEARNER + b"{" * 100, "type of a length"),
        (LEARNER + (b"[#L" + struct.pack(">q", 1)) * 100, "nested deeper"),
        (LEARNER + b"[#L" + struct.pack(">q", 2**62), "length"),
        (LEARNER + b"[$d#L" + struct.pack(">q", 20) + b"\0" * 8, "cut off"),
        (LEARNER + b"[$S#L" + struct.pack(">q", 0), "type"),
        (LEARNER + b"[i\1]", "does not give its length"),
        (LEARNER + b"H", "does not write"),
        (LEARNER + b"{}L" + struct.pack(">q", 7) + b"learner{}}", "twice"),
        (LEARNER + b"{}}more", "nothing after"),
        (LEARNER + b"S" + struct.pack(">q", -1), "length"),
    ],
)
def test_to_have_a_document_read_otherwise_than_it_was_checked(content: bytes, said: str) -> None:
    with pytest.raises(Unsound, match=said):
        check_model(content)
