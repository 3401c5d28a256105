"""A sample picked from predictions in memory, and the CSV that it becomes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from modelyard.ground_truth.join import NOTHING, Earlier
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.metrics.outliers import row_shape
from modelyard.metrics.profile import Profile
from modelyard.metrics.tally import ColumnValues, level_codes, number_codes, profile_column
from modelyard.predictions.ids import text_hashes
from modelyard.predictions.interface import Window
from modelyard.production.feedback.sample import Sample, sample
from predictions.test_payload import CLASSES
from support.yard import MODEL_YAML

MODEL = parse(Model, (MODEL_YAML.format(name="m") + "evaluation: {slices: [colour]}\n").encode(), "model.yaml")
WINDOW = Window(0, 100)


def trained() -> Profile:
    """2,000 training rows: x is normal, nine in ten are red, two in a thousand are gold."""
    random = np.random.default_rng(1)
    x, colours = random.normal(size=2000), np.array(["red"] * 1800 + ["blue"] * 196 + ["gold"] * 4, dtype=object)
    columns = profile_column(ColumnValues("x", "float", x)), profile_column(ColumnValues("colour", "string", colours))
    names = sorted(set(colours.tolist()))
    codes = {
        "x": number_codes(x, columns[0]),
        "colour": level_codes(names, columns[1])[[names.index(c) for c in colours]],
    }
    return Profile(2000, columns, row_shape(columns, codes))


PROFILE = trained()


class Given:
    """A reader of rows in parts."""

    def __init__(self, *rows: dict[str, Any], at_once: int = 3) -> None:
        self._rows, self._at_once = rows, at_once

    def read(self, model: Model, begin: float, end: float, columns: tuple[str, ...] | None = None) -> Iterator[Any]:
        for first in range(0, len(self._rows), self._at_once):
            part = self._rows[first : first + self._at_once]
            kinds = {"score": pa.list_(pa.float64()) if model.task == "multiclass" else pa.float64(), "inputs.x": pa.float64(),
                     "time": pa.timestamp("us", "UTC")}  # fmt: skip
            names = ("id", "entity", "version", "variant", "error", "time", "score", "inputs.x", "inputs.colour")
            yield pa.table(
                {name: pa.array([row[name] for row in part], kinds.get(name, pa.string())) for name in names}
            )


def row(name: str, score: Any = 0.01, **more: Any) -> dict[str, Any]:
    usual = {"id": f"{name}/0", "entity": name, "version": "v1.0.0", "variant": "champion", "error": None, "time": 10**6,
             "score": score, "inputs.x": 0.0, "inputs.colour": "red"}  # fmt: skip
    return usual | more


def picked(*rows: dict[str, Any], count: int = 50, model: Model = MODEL, earlier: Earlier = NOTHING) -> Sample:
    return sample(Given(*rows), model, WINDOW, lambda _: PROFILE, earlier, count)


def lines(found: Sample) -> dict[str, dict[str, str]]:
    return {line["prediction_id"]: line for line in csv.DictReader(io.StringIO(found.content.decode(), newline=""))}


def reasons(found: Sample) -> dict[str, str]:
    return {name.removesuffix("/0"): line["why"] for name, line in lines(found).items()}


def test_each_reason_finds_its_rows() -> None:
    rows = [
        row("border", 0.5), row("far", **{"inputs.x": 50.0, "inputs.colour": "blue"}), row("gold", **{"inputs.colour": "gold"}), row("flipped"),
        row("flipped", 0.9, id="s/0", version="v1.1.0", variant="shadow"),
    ]  # fmt: skip
    found = picked(*rows, count=4)
    assert reasons(found) == {"border": "uncertain", "far": "outlier", "gold": "rare", "flipped": "flip"}
    assert (found.rows, found.of, found.reasons) == (4, 4, {"uncertain": 1, "outlier": 1, "rare": 1, "flip": 1})


def test_shadows_failures_and_rows_with_a_label_are_left_out() -> None:
    hashes = text_hashes(pa.array(["labelled/0"]))
    rows = (
        row("a"), row("labelled"), row("shadow", variant="shadow"), row("failed", None, error="down"),
        row("nameless", id=None),
    )  # fmt: skip
    found = picked(*rows, earlier=Earlier(hashes, np.array([1.0])))
    assert set(reasons(found)) == {"a"} and found.of == 1


def test_a_version_without_a_profile_has_no_outliers() -> None:
    found = sample(Given(row("far", **{"inputs.x": 50.0})), MODEL, WINDOW, lambda _: None, NOTHING, 5)
    assert reasons(found) == {"far": "uncertain"}


@pytest.mark.parametrize("at_once", [1, 2, 7])
def test_the_parts_of_the_log_do_not_matter(at_once: int) -> None:
    rows = [row(f"r{n}", n / 20, **{"inputs.x": float(n)}) for n in range(20)]
    whole = sample(Given(*rows, at_once=20), MODEL, WINDOW, lambda _: PROFILE, NOTHING, 6)
    assert sample(Given(*rows, at_once=at_once), MODEL, WINDOW, lambda _: PROFILE, NOTHING, 6) == whole


def test_nothing_to_pick_is_a_file_with_its_columns() -> None:
    found = picked()
    assert (found.rows, found.of, found.reasons) == (0, 0, {})
    assert (
        found.content.decode()
        == "prediction_id,id,x,colour,score,version,predicted_at,why,label,reviewer,reviewed_at\n"
    )


def test_the_cells_are_what_was_logged_and_formulas_are_quoted() -> None:
    [line] = lines(picked(row("=cmd", 0.25, **{"inputs.colour": "+x", "inputs.x": -1.5}))).values()
    assert (line["id"], line["colour"], line["x"], line["score"]) == ("'=cmd", "'+x", "-1.5", "0.25")
    assert (line["version"], line["predicted_at"]) == ("v1.0.0", "1970-01-01T00:00:01+00:00")
    assert line["label"] == line["reviewer"] == line["reviewed_at"] == ""


def test_personal_inputs_are_not_in_the_file() -> None:
    hidden = [
        msgspec.structs.replace(one, personal="hash" if one.name == "colour" else "no") for one in MODEL.contract.inputs
    ]
    model = msgspec.structs.replace(MODEL, contract=msgspec.structs.replace(MODEL.contract, inputs=hidden))
    [line] = lines(picked(row("a"), model=model)).values()
    assert "colour" not in line and line["x"] == "0.0"


def test_of_several_classes_the_two_likeliest_decide_what_is_uncertain() -> None:
    rows = [row("sure", [0.9, 0.1]), row("torn", [0.51, 0.49])]
    assert reasons(picked(*rows, count=1, model=CLASSES)) == {"torn": "uncertain"}
    flips = [row("a", [0.9, 0.1]), row("a", [0.1, 0.9], id="b/0", version="v1.1.0")]
    assert "flip" in picked(*flips, model=CLASSES).reasons
