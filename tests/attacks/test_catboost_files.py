"""What an attacker tries with a crafted CatBoost file: to have it read behind the trees."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from modelyard.flavors.catboost import CatBoost
from modelyard.flavors.catboost_file import check_model
from modelyard.flavors.flatbuffer import Table
from modelyard.flavors.interface import Fault, Options
from modelyard.flavors.signature import Input, Signature
from modelyard.flavors.unsound import Unsound

SIGNATURE = Signature("m", "v1.0.0", "binary", (Input("a", "float"), Input("c", "string"), Input("b", "float")))
SPLITS, SIZES, STARTS, CATEGORIES, FLOATS, STATISTICS, VALUES, WEIGHTS, STEPS, LEAVES = 1, 2, 3, 4, 5, 7, 8, 9, 10, 11


def trained(folder: Path, policy: str, loss: str = "Logloss", **settings: Any) -> bytes:
    import catboost

    rng = np.random.default_rng(0)
    table = np.empty((300, 3), dtype=object)
    table[:, 0], table[:, 2] = rng.normal(size=300), rng.normal(size=300)
    table[:, 1] = rng.choice(list("abcdefgh"), 300)
    label = ((table[:, 0] > 0) ^ (table[:, 1] < "d")).astype(int) + (table[:, 2] > 1) * (loss == "MultiClass")
    model = catboost.CatBoost({
        "loss_function": loss, "iterations": 4, "depth": 3, "thread_count": 1, "random_seed": 1,
        "allow_writing_files": False, "verbose": False, "grow_policy": policy, **settings,
    })  # fmt: skip
    model.fit(catboost.Pool(table, label, cat_features=[1], feature_names=["a", "c", "b"]))
    file = folder / "trained.cbm"
    model.save_model(str(file))
    return file.read_bytes()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("catboost")
    return {policy: trained(folder, policy) for policy in ("SymmetricTree", "Depthwise")}


@pytest.mark.parametrize("policy", ["SymmetricTree", "Depthwise", "Lossguide"])
@pytest.mark.parametrize(
    ("loss", "settings"),
    [
        ("Logloss", {}), ("MultiClass", {}), ("RMSE", {}), ("Poisson", {}),
        ("Logloss", {"one_hot_max_size": 10}), ("Logloss", {"max_ctr_complexity": 3, "iterations": 20}),
    ],
)  # fmt: skip
def test_sound_files_pass(policy: str, loss: str, settings: dict[str, Any], tmp_path: Path) -> None:
    check_model(trained(tmp_path, policy, loss, **settings))


def put(field: int, at: int, kind: str, value: float) -> Callable[[bytes], bytes]:
    """Another number at one place of a list of the trees."""

    def change(content: bytes) -> bytes:
        trees = Table.root(content[8:]).table(1)
        assert trees is not None
        start, count = trees._vector(field)
        size = struct.calcsize(kind)
        place = 8 + start + (at % count) * size
        return content[:place] + struct.pack(kind, value) + content[place + size :]

    return change


def of_feature(field: int, number: int, value: int) -> Callable[[bytes], bytes]:
    """Another place of the first feature."""

    def change(content: bytes) -> bytes:
        trees = Table.root(content[8:]).table(1)
        assert trees is not None
        place = 8 + trees.tables(field)[0]._place(number)
        assert place > 8
        return content[:place] + struct.pack("<i", value) + content[place + 4 :]

    return change


CRAFTED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "split_high": ("SymmetricTree", put(SPLITS, 1, "<i", 99_999_999)),
    "split_low": ("SymmetricTree", put(SPLITS, 1, "<i", -1)),
    "size_high": ("SymmetricTree", put(SIZES, 0, "<i", 99_999_999)),
    "size_negative": ("SymmetricTree", put(SIZES, 0, "<i", -1)),
    "size_moved": ("SymmetricTree", lambda c: put(SIZES, 0, "<i", 4)(put(SIZES, 1, "<i", 2)(c))),
    "start_high": ("SymmetricTree", put(STARTS, 1, "<i", 99_999_999)),
    "leaf_infinite": ("SymmetricTree", put(VALUES, 1, "<d", float("inf"))),
    "feature_place_high": ("SymmetricTree", of_feature(FLOATS, 2, 99_999_999)),
    "feature_place_taken": ("SymmetricTree", of_feature(FLOATS, 2, 1)),
    "category_place_taken": ("SymmetricTree", of_feature(CATEGORIES, 1, 0)),
    "step_high": ("Depthwise", put(STEPS, 0, "<H", 60_000)),
    "step_out_of_the_last_tree": ("Depthwise", put(STEPS, -1, "<I", 1)),
    "leaf_high": ("Depthwise", put(LEAVES, -1, "<I", 99_999_999)),
    "leaf_missing": ("Depthwise", put(LEAVES, -1, "<I", 2**32 - 1)),
    "nodes_moved": ("Depthwise", put(SIZES, 0, "<i", 1)),
    "cut": ("SymmetricTree", lambda c: c[: len(c) // 2]),
    "size_of_all": ("SymmetricTree", lambda c: c[:4] + struct.pack("<I", 2**32 - 1) + c[8:]),
    "head_only": ("SymmetricTree", lambda c: c[:6]),
    "root_outside": ("SymmetricTree", lambda c: c[:8] + struct.pack("<I", 2**31) + c[12:]),
}


def fewer_leaves(content: bytes) -> bytes:
    """The list of leaves says that it is shorter."""
    trees = Table.root(content[8:]).table(1)
    assert trees is not None
    start, count = trees._vector(VALUES)
    return content[: 4 + start] + struct.pack("<I", count - 1) + content[8 + start :]


CRAFTED["fewer_leaves"] = ("SymmetricTree", fewer_leaves)


@pytest.mark.parametrize("name", sorted(CRAFTED))
def test_to_have_catboost_read_behind_its_trees(name: str, models: dict[str, bytes], tmp_path: Path) -> None:
    policy, change = CRAFTED[name]
    file = tmp_path / "model.cbm"
    file.write_bytes(change(models[policy]))
    for refuse in (CatBoost().check, lambda path: CatBoost().load(path, SIGNATURE, Options(threads=1))):
        with pytest.raises(Fault, match=r"model\.cbm is not a valid CatBoost model: ") as caught:
            refuse(file)
        assert caught.value.remedy


@pytest.mark.parametrize("field", [STATISTICS, FLOATS, WEIGHTS])
def test_a_list_that_leads_outside_is_refused(field: int, models: dict[str, bytes]) -> None:
    content = models["SymmetricTree"]
    trees = Table.root(content[8:]).table(1)
    assert trees is not None
    place = 8 + trees._place(field)
    with pytest.raises(Unsound):
        check_model(content[:place] + struct.pack("<I", 2**30) + content[place + 4 :])
