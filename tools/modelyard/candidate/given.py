"""The files of a model that was trained elsewhere: those that dvc.lock pins, and the artifact's scores."""

from __future__ import annotations

import numpy as np

from modelyard.candidate.files import Candidate
from modelyard.dvc import Dvc
from modelyard.errors import ModelyardError
from modelyard.files import md5_of, small_files
from modelyard.manifests.model import Model
from modelyard.manifests.pipeline import read_lock
from modelyard.scoring.scorer import prediction_columns
from modelyard.tables.file import write_parquet


def given_files(model: Model) -> tuple[str, str]:
    """The artifact and the held-out rows, as paths below the model's folder."""
    return model.files.artifact, model.files.holdout


def check_out_given(candidate: Candidate, dvc: Dvc) -> None:
    """Puts the artifact and the held-out rows into this checkout, as dvc.lock pins them.

    ModelyardError for a file that differs and that DVC does not have: it would be lost.
    """
    model, folder = candidate.model, candidate.folder
    file = f"models/{model.name}/dvc.lock"
    again = f"modelyard add {model.name} --artifact FILE"
    if not (folder / "dvc.lock").is_file():
        raise ModelyardError(f"{file} does not exist.", f"Give the model's file again: {again} --holdout TABLE")
    lock = read_lock((folder / "dvc.lock").read_bytes(), file, small_files(folder.parents[1]))
    for path in given_files(model):
        pinned = lock.output(f"models/{model.name}/{path}")
        if pinned is None or not pinned.md5:
            raise ModelyardError(f"{file} does not pin {path}.", f"Give the file again: {again} --holdout TABLE")
        place = folder / path
        found = md5_of(place) if place.is_file() else ""
        if found == pinned.md5:
            continue
        if found and not dvc.has(found):
            option = "--artifact" if path == model.files.artifact else "--holdout"
            raise ModelyardError(
                f"models/{model.name}/{path} is not the file that dvc.lock pins.",
                f"To propose it: modelyard add {model.name} {option} {place}. To drop it: delete it.",
            )
        dvc.fetch(pinned.md5, f"{path} of {model.name}", place)


def write_scores(candidate: Candidate) -> None:
    """Writes the artifact's scores of the held-out rows where the pipeline of another model writes its predictions."""
    held = candidate.holdout()
    with candidate.load() as scorer:
        scores = scorer.score_table(held)
    names = prediction_columns(candidate.model)
    columns = dict(zip(names, np.atleast_2d(scores.reshape(held.rows, -1).T), strict=True))
    identifier = candidate.model.contract.id
    write_parquet({identifier: held.texts(identifier), **columns}, candidate.folder / candidate.model.files.predictions)
