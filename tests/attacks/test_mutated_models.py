"""Models changed at random places: what passes the check and the trial ends no process that serves it."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from modelyard.flavors.discovery import flavor_named
from modelyard.flavors.signature import Signature
from support.crafted import (
    LEVELS,
    NUMBERS,
    SIGNATURE,
    Fates,
    changed_bytes,
    changed_json,
    changed_onnx,
    changed_skops,
    fates,
)
from threadpoolctl import threadpool_limits

Rows = np.ndarray[Any, Any]
Change = Callable[[bytes, random.Random], bytes]


def rows() -> tuple[Rows, Rows]:
    """(two numbers and the code of a level, label)."""
    rng = np.random.default_rng(0)
    found = np.column_stack([rng.normal(size=300), rng.integers(0, 8, 300), rng.normal(size=300)])
    return found, ((found[:, 0] > 0) ^ (found[:, 1] < 3)).astype(int)


def xgboost_files(folder: Path, ending: str) -> list[bytes]:
    """With categories, pruned trees, parallel trees, dropped trees, weights only, and vectors as leaves."""
    import pandas as pd
    import xgboost

    found, label = rows()
    frame = pd.DataFrame({
        "a": found[:, 0], "c": pd.Categorical.from_codes(found[:, 1].astype(int), list(LEVELS)), "b": found[:, 2],
    })  # fmt: skip
    plain = frame.assign(c=found[:, 1])
    files = []
    chosen: tuple[tuple[Any, dict[str, Any]], ...] = (
        (frame, {"objective": "binary:logistic"}),
        (frame, {"objective": "binary:logistic", "booster": "dart", "rate_drop": 0.5}),
        (frame, {"objective": "binary:logistic", "num_parallel_tree": 2, "subsample": 0.5}),
        (plain, {"objective": "binary:logistic", "tree_method": "exact", "gamma": 5, "max_depth": 5}),
        (plain, {"objective": "binary:logistic", "booster": "gblinear"}),
        (plain, {"objective": "multi:softprob", "num_class": 3, "multi_strategy": "multi_output_tree"}),
    )  # fmt: skip
    for number, (table, settings) in enumerate(chosen):
        file = folder / f"{number}.{ending}"
        data = xgboost.DMatrix(table, label, enable_categorical=True)
        xgboost.train({"nthread": 1, "max_depth": 3, "verbosity": 0, **settings}, data, 2).save_model(file)
        files.append(file.read_bytes())
    return files


def catboost_files(folder: Path) -> list[bytes]:
    """Symmetric and other trees, with and without categories."""
    import catboost

    found, label = rows()
    table = np.empty(found.shape, dtype=object)
    table[:, 0], table[:, 2] = found[:, 0], found[:, 2]
    table[:, 1] = [LEVELS[int(code)] for code in found[:, 1]]
    files = []
    for number, policy in enumerate(("SymmetricTree", "Depthwise", "Lossguide")):
        settings = {
            "loss_function": "Logloss", "iterations": 4, "depth": 3, "thread_count": 1, "random_seed": 1,
            "allow_writing_files": False, "verbose": False, "grow_policy": policy,
        }  # fmt: skip
        model = catboost.CatBoost(settings)
        model.fit(catboost.Pool(table, label, cat_features=[1], feature_names=["a", "c", "b"]))
        file = folder / f"{number}.cbm"
        model.save_model(str(file))
        files.append(file.read_bytes())
    return files


def estimators() -> list[Any]:
    """A forest, a booster, a support vector machine, neighbours and a linear pipeline on two numbers."""
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import SVC

    found, label = rows()
    fitted = (
        RandomForestClassifier(3, max_depth=3, random_state=0, n_jobs=1),
        HistGradientBoostingClassifier(max_iter=3, max_depth=3, random_state=0),
        make_pipeline(SimpleImputer(), SVC(probability=True, random_state=0)),
        make_pipeline(SimpleImputer(), KNeighborsClassifier(3, algorithm="kd_tree")),
        make_pipeline(SimpleImputer(), LogisticRegression()),
    )
    with threadpool_limits(1):  # a pool of threads would not be there in the processes that ask
        return [estimator.fit(found[:, [0, 2]].astype(np.float32), label) for estimator in fitted]


def skops_files(folder: Path) -> list[bytes]:
    from skops import io

    return [bytes(io.dumps(estimator)) for estimator in estimators()]


def onnx_files(folder: Path) -> list[bytes]:
    from skl2onnx import to_onnx

    found = rows()[0][:1, [0, 2]].astype(np.float32)
    chosen = [one for at, one in enumerate(estimators()) if at not in (1, 3)]  # skl2onnx writes those otherwise
    return [
        to_onnx(one, found, options={id(one): {"zipmap": False}}, target_opset=18).SerializeToString() for one in chosen
    ]


KINDS: dict[str, tuple[str, Signature, Callable[[Path], list[bytes]], Change]] = {
    "xgboost-json": ("xgboost", SIGNATURE, lambda folder: xgboost_files(folder, "json"), changed_json),
    "xgboost-ubj": ("xgboost", SIGNATURE, lambda folder: xgboost_files(folder, "ubj"), changed_bytes),
    "catboost": ("catboost", SIGNATURE, catboost_files, changed_bytes),
    "skops": ("sklearn", NUMBERS, skops_files, changed_skops),
    "onnx": ("onnx", NUMBERS, onnx_files, changed_onnx),
}


def mutated(kind: str, rounds: int, seed: int, folder: Path) -> tuple[Fates, Fates]:
    """The fates of the sound files, and of ``rounds`` changed ones."""
    name, signature, make, change = KINDS[kind]
    flavor, rng, sound = flavor_named(name), random.Random(seed), make(folder)  # noqa: S311 - examples, not secrets
    crafted = [change(rng.choice(sound), rng) for _ in range(rounds)]
    trusted = untrusted_types(sound) if kind == "skops" else []
    with threadpool_limits(1):
        return fates(flavor, signature, sound, folder, trusted), fates(flavor, signature, crafted, folder, trusted)


def untrusted_types(sound: list[bytes]) -> list[str]:
    """What a reviewer has to trust, so that the estimators load."""
    from skops import io

    return sorted({name for content in sound for name in io.get_untrusted_types(data=content)})


FEW = {"xgboost-json": 60, "xgboost-ubj": 100, "catboost": 60, "skops": 15, "onnx": 60}
MANY = {"xgboost-json": 2_000, "xgboost-ubj": 2_000, "catboost": 2_000, "skops": 500, "onnx": 1_000}


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_mutations_end_no_process_that_serves(kind: str, tmp_path: Path) -> None:
    sound, found = mutated(kind, FEW[kind], 1, tmp_path)
    assert sound.tried == sound.checked and sound.checked >= 3 and sound.dead == ()
    assert found.dead == ()


@pytest.mark.parametrize("kind", KINDS)
def test_many_mutations_end_no_process_that_serves(kind: str, tmp_path: Path) -> None:
    _, found = mutated(kind, MANY[kind], 2, tmp_path)
    for number, content in enumerate(found.dead):
        (tmp_path / f"dead-{number}").write_bytes(content)
    assert found.dead == () and found.tried > 20, (found.checked, found.tried)
