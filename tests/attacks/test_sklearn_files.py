"""What an attacker tries with a skops file of scikit-learn's own trees: to end the process that answers with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from modelyard.flavors.interface import Fault, Options
from modelyard.flavors.signature import Input, Signature
from modelyard.flavors.sklearn import SKLearn
from modelyard.flavors.sklearn_trees import check_trees

SIGNATURE = Signature("m", "v1.0.0", "binary", (Input("a", "float"), Input("b", "float")))


def rows() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    found = rng.normal(size=(300, 2))
    return found, ((found[:, 0] > 0) ^ (found[:, 1] > 0)).astype(int)


def tree(change: Callable[[dict[str, Any]], object]) -> Callable[[], Any]:
    """A decision tree whose state was changed."""

    def made() -> Any:
        from sklearn.tree import DecisionTreeClassifier

        fitted = DecisionTreeClassifier(max_depth=3, random_state=0).fit(*rows())
        kind, given, state = fitted.tree_.__reduce__()
        state = {key: value.copy() if isinstance(value, np.ndarray) else value for key, value in state.items()}
        change(state)
        fitted.tree_ = kind(*given)
        fitted.tree_.__setstate__(state)
        return fitted

    return made


def node(field: str, value: int) -> Callable[[], Any]:
    return tree(lambda state: state["nodes"][field].__setitem__(1, value))


def forest() -> Any:
    """Its trees take two numbers, and it says that rows have one."""
    from sklearn.ensemble import RandomForestClassifier

    fitted = RandomForestClassifier(2, max_depth=3, random_state=0).fit(*rows())
    fitted.n_features_in_ = 1
    return fitted


def booster(field: str, value: int) -> Callable[[], Any]:
    def made() -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier

        fitted = HistGradientBoostingClassifier(max_iter=2, max_depth=3, random_state=0).fit(*rows())
        nodes = fitted._predictors[0][0].nodes
        at = int(np.flatnonzero(nodes["is_leaf"] == 0)[1])
        nodes[field][at] = value
        return fitted

    return made


def inside(make: Callable[[], Any]) -> Callable[[], Any]:
    """The same as a step of a pipeline."""

    def made() -> Any:
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import Pipeline

        whole = Pipeline([("filled", SimpleImputer()), ("last", make())])
        whole.named_steps["filled"].fit(rows()[0])
        return whole

    return made


CRAFTED = {
    "child_high": node("left_child", 2_000_000),
    "child_of_itself": node("right_child", 1),
    "child_before": node("left_child", 0),
    "child_low": node("left_child", -7),
    "feature_high": node("feature", 99_999_999),
    "feature_low": node("feature", -99_999_999),
    "in_a_pipeline": inside(node("left_child", 2_000_000)),
    "forest_of_fewer_numbers": forest,
    "booster_child_high": booster("left", 2_000_000),
    "booster_child_of_itself": booster("right", 0),
    "booster_feature_high": booster("feature_idx", 99_999_999),
    "booster_in_a_pipeline": inside(booster("left", 2_000_000)),
}


@pytest.mark.parametrize("name", sorted(CRAFTED))
def test_to_end_the_server_with_crafted_trees_of_scikit_learn(name: str, tmp_path: Path) -> None:
    from skops import io

    file = tmp_path / "model.skops"
    crafted = CRAFTED[name]()
    io.dump(crafted, file)
    trusted = tuple(io.get_untrusted_types(file=file))
    with pytest.raises(Fault, match=r"model\.skops is not a valid skops file: a tree ") as caught:
        SKLearn().load(file, SIGNATURE, Options(trusted=trusted))
    assert caught.value.remedy


def test_sound_estimators_pass() -> None:
    from sklearn.ensemble import (
        AdaBoostClassifier,
        BaggingClassifier,
        ExtraTreesClassifier,
        GradientBoostingClassifier,
        HistGradientBoostingClassifier,
        RandomForestClassifier,
        StackingClassifier,
    )
    from sklearn.multioutput import ClassifierChain
    from sklearn.tree import DecisionTreeClassifier

    found, label = rows()
    for one in (
        AdaBoostClassifier(n_estimators=2),
        BaggingClassifier(DecisionTreeClassifier(), n_estimators=2, max_features=0.5),
        DecisionTreeClassifier(max_leaf_nodes=4),
        ExtraTreesClassifier(2),
        GradientBoostingClassifier(n_estimators=2),
        HistGradientBoostingClassifier(max_iter=2, categorical_features=[1]),
        StackingClassifier([("forest", RandomForestClassifier(2)), ("booster", HistGradientBoostingClassifier(max_iter=2))]),
    ):  # fmt: skip
        check_trees(one.fit(np.column_stack([found[:, 0], np.arange(300) % 7]), label))
    chain = ClassifierChain(DecisionTreeClassifier(max_depth=2))
    check_trees(chain.fit(found, np.column_stack([label, 1 - label])))
    check_trees(DecisionTreeClassifier())
    check_trees(DecisionTreeClassifier(max_depth=1).fit(found, np.zeros(300)))
