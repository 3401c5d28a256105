"""What an attacker tries with a crafted LightGBM file: to end the process that loads it, or that answers with it."""

from __future__ import annotations

import os
import random
import re
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from modelyard.flavors.interface import Fault, Options
from modelyard.flavors.lightgbm import LightGBM
from modelyard.flavors.lightgbm_file import check_text
from modelyard.flavors.signature import Input, Signature
from modelyard.flavors.unsound import Unsound

SIGNATURE = Signature(
    model="m", version="v1.0.0", task="binary", inputs=(Input("a", "float"), Input("c", "string", categories=tuple("abcdefgh")), Input("b", "float")),
)  # fmt: skip
SECONDS = 300


@pytest.fixture(scope="module")
def models() -> dict[str, str]:
    """Sound files: with categories, several classes, linear trees, random forests, and a single leaf."""
    import lightgbm

    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.normal(size=400), rng.integers(0, 8, 400), rng.integers(0, 9, 400)])
    label = ((rows[:, 0] > 0) ^ (rows[:, 1] < 3)).astype(int)
    found = {}
    for name, params, target in (
        ("binary", {"objective": "binary"}, label),
        ("classes", {"objective": "multiclass", "num_class": 3}, label + (rows[:, 2] > 5)),
        ("linear", {"objective": "regression", "linear_tree": True}, rows[:, 0] * 2),
        ("forest", {"objective": "binary", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6}, label),
        ("leaf", {"objective": "binary", "min_data_in_leaf": 1000}, label),
    ):
        data = lightgbm.Dataset(rows, target, feature_name=["a", "c", "b"], categorical_feature=[1])
        settings = {"verbose": -1, "num_leaves": 7, "num_threads": 1, **params}
        found[name] = str(lightgbm.train(settings, data, 3).model_to_string())
    return found


def each(key: str, value: str) -> Callable[[str], str]:
    """Every number of the first line of a key becomes another."""
    return lambda text: re.sub(
        rf"^{key}=(\S.*)$",
        lambda m: f"{key}={' '.join(value for _ in m[1].split())}",
        _unsized(text),
        count=1,
        flags=re.M,
    )


def line(key: str, value: str) -> Callable[[str], str]:
    """The first line of a key holds another value."""
    return lambda text: re.sub(
        rf"^{key}=.*$", f"{key}={value}", text if key == "tree_sizes" else _unsized(text), count=1, flags=re.M
    )


def _unsized(text: str) -> str:
    return re.sub(r"^tree_sizes=.*\n", "", text, flags=re.M)


CRAFTED = {
    "num_leaves_huge": line("num_leaves", "2000000000"),
    "num_leaves_negative": line("num_leaves", "-5"),
    "num_leaves_one": line("num_leaves", "1"),
    "split_feature_high": each("split_feature", "100000000"),
    "split_feature_low": each("split_feature", "-100000000"),
    "left_child_high": each("left_child", "100000000"),
    "left_child_low": each("left_child", "-100000000"),
    "left_child_circle": each("left_child", "0"),
    "right_child_high": each("right_child", "100000000"),
    "both_children_circle": lambda text: each("right_child", "0")(each("left_child", "0")(text)),
    "num_cat_huge": line("num_cat", "1000000"),
    "all_categorical": each("decision_type", "1"),
    "unknown_missing_type": each("decision_type", "14"),
    "cat_boundaries_high": line("cat_boundaries", "0 100000000 100000000"),
    "cat_boundaries_falling": line("cat_boundaries", "0 2 1"),
    "cat_threshold_short": line("cat_threshold", "1 2 3 4 5 6 7 8 9"),
    "categorical_index": each("threshold", "77"),
    "max_feature_idx_huge": line("max_feature_idx", "2000000000"),
    "max_feature_idx_negative": line("max_feature_idx", "-7"),
    "num_class_huge": line("num_class", "1000000000"),
    "num_class_zero": line("num_class", "0"),
    "trees_of_a_step_huge": line("num_tree_per_iteration", "1000000"),
    "trees_of_a_step_zero": line("num_tree_per_iteration", "0"),
    "tree_sizes_huge": line("tree_sizes", "99999999999"),
    "tree_sizes_negative": line("tree_sizes", "-5 -5 -5"),
    "tree_sizes_shifted": line("tree_sizes", "1 1 1"),
    "leaf_value_nan": each("leaf_value", "nan"),
    "objective_without_scale": line("objective", "multiclass num_class:77"),
    "objective_empty": line("objective", ""),
    "objective_code": line("objective", "binary sigmoid:$(id)"),
    "threshold_short": line("threshold", "1"),
    "leaf_value_empty": line("leaf_value", ""),
    "linear_without_leaves": line("is_linear", "1"),
    "key_twice": lambda text: _unsized(text).replace("\nnum_cat=", "\nnum_leaves=3\nnum_cat=", 1),
    "unknown_key": lambda text: _unsized(text).replace("\nnum_cat=", "\nnum_bombs=3\nnum_cat=", 1),
    "zero_byte": lambda text: text.replace("\nTree=1", "\0\nTree=1", 1),
    "trees_out_of_order": lambda text: _unsized(text).replace("Tree=1", "Tree=7", 1),
    "no_feature_names": line("feature_names", ""),
}


@pytest.mark.parametrize("name", sorted(CRAFTED))
def test_to_end_the_process_that_loads_a_model(name: str, models: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "model.txt"
    crafted = CRAFTED[name](models["binary"])
    assert crafted != models["binary"]
    file.write_text(crafted)
    with pytest.raises(Fault, match=r"model\.txt"):
        LightGBM().load(file, SIGNATURE, Options(threads=1))


@pytest.mark.parametrize("name", ["binary", "classes", "linear", "forest", "leaf"])
def test_sound_files_pass(name: str, models: dict[str, str]) -> None:
    check_text(models[name].encode())
    check_text(_unsized(models[name]).encode())


def mutated(text: bytes, rng: random.Random) -> bytes:
    """A file with one to four changes, mostly of numbers."""
    changed = bytearray(text)
    for _ in range(rng.randint(1, 4)):
        kind = rng.random()
        if kind < 0.6:
            numbers = list(re.finditer(rb"-?\d+(?:\.\d+)?", bytes(changed)))
            number = rng.choice(numbers)
            new = rng.choice(
                [b"0", b"-1", b"1", b"7", b"100", b"99999999", b"-99999999", b"2147483648", b"nan", b"1e308", b""]
            )
            changed[number.start() : number.end()] = new
        elif kind < 0.8:
            lines = bytes(changed).split(b"\n")
            at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
            lines[at] = rng.choice([b"", lines[other], lines[at][: len(lines[at]) // 2], lines[at] + b" 1"])
            changed = bytearray(b"\n".join(lines))
        else:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def deaths(texts: list[bytes], seed: int, rounds: int) -> tuple[int, list[bytes]]:
    """(mutations that were let through, those that ended a process). Each batch of files is read in one child."""
    rng = random.Random(seed)  # noqa: S311 - examples, not secrets
    passed: list[bytes] = []
    for _ in range(rounds):
        candidate = mutated(rng.choice(texts), rng)
        try:
            check_text(candidate)
        except Unsound:
            continue
        passed.append(candidate)
    dead = []
    for at in range(0, len(passed), 50):
        batch = passed[at : at + 50]
        if not survives(batch):
            dead += [one for one in batch if not survives([one])]
    return len(passed), dead


def survives(batch: list[bytes]) -> bool:
    import lightgbm

    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        for content in batch:
            try:
                booster = lightgbm.Booster(model_str=content.decode("utf-8"))
                width = booster.num_feature()
                for value in (0.0, 3.0, -1e30, 1e30, np.nan):
                    booster.predict(np.full((2, width), value), num_threads=1)
                booster.predict(np.zeros((1, width)), pred_contrib=True, num_threads=1)
            except Exception:  # noqa: S112 - a refusal is what we want
                continue
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def test_mutations_that_pass_the_check_end_no_process(models: dict[str, str]) -> None:
    passed, dead = deaths([text.encode() for text in models.values()], seed=1, rounds=600)
    assert dead == [] and passed > 20, "some mutations are harmless"


def test_ten_thousand_mutations_end_no_process(models: dict[str, str]) -> None:
    passed, dead = deaths([text.encode() for text in models.values()], seed=2, rounds=10_000)
    assert dead == [] and passed > 500
