"""A model that was trained elsewhere: its file and a held-out table, tried out, then written as a model folder."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from modelyard.candidate.evaluation import check_range, label_of
from modelyard.candidate.files import Candidate
from modelyard.checkout.trust import sniff_file
from modelyard.dvc import Dvc
from modelyard.errors import ModelyardError, UsageError
from modelyard.files import small_files
from modelyard.flavors.discovery import every_flavor
from modelyard.flavors.formats import PICKLE
from modelyard.flavors.interface import MAXIMUM_ARTIFACT_BYTES, Fault, Flavor, Options
from modelyard.flavors.trial import features_of
from modelyard.flavors.values import spelled_text
from modelyard.git import Git
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.manifests.pipeline import read_lock
from modelyard.manifests.repository import ModelRepository, model_file
from modelyard.metrics.scores import auc
from modelyard.scoring.scorer import try_artifact
from modelyard.scoring.signature import flavor_of
from modelyard.setup.adoption import writer_of
from modelyard.setup.contract_guess import Guess, Wishes, guess_contract
from modelyard.setup.guessed_inputs import Reason
from modelyard.setup.model_addition import (
    Addition,
    chosen_owners,
    chosen_policy,
    needs_of,
    require_new_name,
    surroundings,
)
from modelyard.setup.model_folder import HOLDOUT, NewModel, given_lock, given_stage, ignored, model_yaml
from modelyard.setup.tree_change import TreeChange, carry_out
from modelyard.tables.facts import facts_of
from modelyard.tables.file import read_table, write_parquet

_NAMES = {
    "lightgbm-text": "model.txt", "xgboost-json": "model.json", "xgboost-ubj": "model.ubj", "catboost-cbm": "model.cbm",
    "skops": "model.skops", "onnx": "model.onnx",
}  # fmt: skip
"""Format → the name of the file in the model's folder."""
_WAY_OUT = (
    "Save it with its library: Booster.save_model (LightGBM, XGBoost), save_model (CatBoost), skops.io.dump"
    " (scikit-learn), or export it as ONNX. For another kind of file: docs/flavors.md"
)


def add_artifact(
    repository: ModelRepository,
    name: str,
    artifact: Path,
    holdout: Path,
    wishes: Wishes,
    owners: Sequence[str],
    policy: str,
    trusted: tuple[str, ...] = (),
    origin: str = "elsewhere",
) -> Addition:
    """Writes a model that was trained elsewhere. Nothing is written after an error.

    UsageError for a name that is taken, a file of no safe format, a table that does not fit it, and a policy that
    requires a second run.
    """
    require_new_name(repository, name)
    policy = chosen_policy(repository, policy)
    if repository.policy(policy)[0].reproduced == "required":
        raise UsageError(
            f"The policy {policy} requires a second run of the training (reproduced: required), and nobody here can"
            f" train {name}.",
            "Choose a policy without that rule: --policy NAME",
        )
    dvc = Dvc(repository.root)
    with dvc.scratch() as scratch:
        folder = Path(scratch) / "model"
        with _named(artifact, folder):
            given, flavor = _taken(artifact, folder, wishes.flavor)
            options = Options(folder=folder, trusted=trusted)
            features = _features(flavor, given, options)
        _require_table(holdout)
        facts = facts_of(holdout)
        wishes = replace(wishes, flavor=flavor.name)
        needs = needs_of(repository, policy, wishes.task)
        guess = guess_contract(facts, str(holdout), wishes, needs, features)
        model = NewModel(
            name=name, owners=chosen_owners(repository, owners), policy=policy,
            description=f"Predicts {guess.label} from {len(guess.inputs)} columns; trained {origin}.",
            table=holdout.name, elsewhere=True, trusted=trusted,
        )  # fmt: skip
        manifest = model_yaml(model, guess, given.name).encode()
        _write_holdout(holdout, guess, folder / HOLDOUT)
        parsed = parse(Model, manifest, model_file(name))
        with _named(artifact, folder):
            warnings = _tried(Candidate(parsed, folder))
        around, more = surroundings(repository, model, flavor.name, given.name)
        kept = {path: (dvc.keep(folder / path), (folder / path).stat().st_size) for path in (given.name, HOLDOUT)}
        own: dict[str, bytes | Path] = {
            "model.yaml": manifest,
            "dvc.yaml": given_stage(name, given.name).encode(),
            "dvc.lock": given_lock(kept).encode(),
            ".gitignore": ignored(given.name),
            given.name: given,
            HOLDOUT: folder / HOLDOUT,
        }
        change = TreeChange({f"models/{name}/{path}": content for path, content in own.items()} | around)
        carry_out(repository.root, change)
    return Addition(
        change, guess.reasons, (*guess.warnings, *warnings, *more, *_pipeline_here(repository.root, name, artifact))
    )


def replace_files(
    repository: ModelRepository, name: str, artifact: Path | None, holdout: Path | None, wishes: Wishes
) -> Addition:
    """Writes a new file, a new held-out table or both for a model that was trained elsewhere; its contract stays.

    UsageError for a model that a pipeline trains, and for files that do not fit the contract.
    """
    model, root = repository.model(name), repository.root
    if model.trained != "elsewhere":
        raise UsageError(
            f"{name} is trained by its own pipeline, so its file is not given.",
            f"Run: modelyard retrain {name}, or choose another name for the model of that file.",
        )
    dvc, lock_file = Dvc(root), f"models/{name}/dvc.lock"
    if not (root / lock_file).is_file():
        raise UsageError(f"{lock_file} does not exist.", "Restore it from git, then repeat.")
    lock = read_lock((root / lock_file).read_bytes(), lock_file, small_files(root))
    flavor, file = flavor_of(model), model.files.artifact
    with dvc.scratch() as scratch:
        folder = Path(scratch) / "model"
        paths = {file: artifact, model.files.holdout: holdout}
        for path, given in paths.items():
            pinned = lock.output(f"models/{name}/{path}")
            if given is None and pinned is not None:
                dvc.fetch(pinned.md5, f"{path} of {name}", folder / path)
            elif given is None:
                raise UsageError(f"{lock_file} does not pin {path}.", "Give it too: --artifact FILE, --holdout TABLE")
        reasons: list[Reason] = []
        with _named(artifact or root / "models" / name / file, folder):
            if artifact is not None:
                taken, _ = _taken(artifact, folder, flavor.name)
                if taken.name != Path(file).name:
                    taken.rename(folder / file)
                reasons.append(Reason("artifact", file, f"a new file, {artifact.name}"))
            if holdout is not None:
                _require_table(holdout)
                contract = model.contract
                facts = facts_of(holdout)
                has_id = any(column.name == contract.id for column in facts.columns)
                wished = Wishes(
                    task=model.task, flavor=flavor.name, label=contract.label, positive=wishes.positive,
                    id=contract.id if has_id else "",
                )  # fmt: skip
                names = tuple(column.name for column in contract.inputs)
                needs = needs_of(repository, model.policy, model.task)
                guess = guess_contract(facts, str(holdout), wished, needs, names)
                guess = replace(guess, id=contract.id, number_rows=not has_id)
                _write_holdout(holdout, guess, folder / model.files.holdout)
                reasons.append(Reason("held-out rows", model.files.holdout, f"a new table, {holdout.name}"))
            warnings = _tried(Candidate(model, folder))
        kept = {path: (dvc.keep(folder / path), (folder / path).stat().st_size) for path in paths}
        content = given_lock(kept).encode()
        if content == (root / lock_file).read_bytes():
            raise UsageError(f"{name} has exactly these files already.", "Give a new file.")
        new: dict[str, bytes | Path] = {path: folder / path for path, given in paths.items() if given is not None}
        change = TreeChange({f"models/{name}/{path}": entry for path, entry in ({"dvc.lock": content} | new).items()})
        carry_out(root, change)
    return Addition(change, tuple(reasons), warnings)


def _pipeline_here(root: Path, name: str, artifact: Path) -> tuple[str, ...]:
    """That a stage of this repository trains the file, which modelyard does not run; empty for any other file."""
    place = artifact.resolve()
    path = place.relative_to(root.resolve()).as_posix() if place.is_relative_to(root.resolve()) else ""
    writer = writer_of(root, Git(root), path) if path else ""
    if not writer:
        return ()
    return (
        f"{path} is written by {writer}, which modelyard does not run. After dvc repro wrote a new file, give it:"
        f" modelyard add {name} --artifact {shlex.quote(path)}",
    )


def _taken(artifact: Path, folder: Path, wished: str) -> tuple[Path, Flavor]:
    """A copy of the model's file, of a format that runs no code, and its flavor."""
    copied = _copied(artifact, folder / "given")
    form = sniff_file(copied)
    if form == PICKLE:
        raise UsageError(f"{artifact} is a pickle, which can run code when it is loaded.", f"{_WAY_OUT}.")
    flavor = next((flavor for flavor in every_flavor() if form in flavor.formats), None)
    if form is None or flavor is None:
        raise UsageError(f"{artifact} has none of the known formats: {', '.join(_NAMES)}.", f"{_WAY_OUT}.")
    if wished and flavor.name != wished:
        raise UsageError(
            f"{artifact} is of the flavor {flavor.name} ({form}), not {wished}.", "Give a file of that flavor."
        )
    place = folder / _NAMES.get(form, f"model{flavor.endings[0] if flavor.endings else ''}")
    return copied.rename(place), flavor


def _copied(file: Path, into: Path) -> Path:
    """A copy of a plain file. A link may lead anywhere, and what it leads to may change, so it is refused."""
    if not os.path.lexists(file):
        raise UsageError(f"There is no file {file}.", "Give the model's file: --artifact FILE")
    into.parent.mkdir(parents=True, exist_ok=True)
    try:
        if file.is_symlink():
            raise UsageError(f"{file} is a symbolic link.", f"Give the file itself: {file.resolve()}")
        source = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(source, "rb") as content, into.open("wb") as copy:
            found = os.fstat(content.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size > MAXIMUM_ARTIFACT_BYTES:
                what = "has more than 2 GB" if stat.S_ISREG(found.st_mode) else "is no plain file"
                raise UsageError(f"{file} {what}.", "Give the model's file: --artifact FILE")
            shutil.copyfileobj(content, copy)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.", "Give the model's file.") from error
    return into


def _features(flavor: Flavor, artifact: Path, options: Options) -> tuple[str, ...]:
    try:
        return features_of(flavor, artifact, options)
    except Fault as fault:
        raise ModelyardError(fault.problem, fault.remedy) from fault


def _require_table(holdout: Path) -> None:
    if not holdout.is_file():
        raise UsageError(f"There is no file {holdout}.", "Give a CSV or Parquet file: --holdout TABLE")


def _write_holdout(source: Path, guess: Guess, into: Path) -> None:
    """The labelled rows of a table, with the columns that the contract names, the label as it is measured."""
    texts = [column.name for column in guess.inputs if column.kind == "string"]
    table = read_table(source, texts=texts if guess.number_rows else [*texts, guess.id])
    usable = {column.name for column in facts_of(source).columns if column.kind is not None}
    columns: dict[str, Any] = {name: table.column(name) for name in table.names if name in usable}
    label, kept = [], []
    for value in read_table(source, [guess.label]).column(guess.label).to_pylist():
        spelled = "" if value is None or value != value else spelled_text(value)
        kept.append(spelled != "")
        label.append(_measured(spelled, guess) if spelled else None)
    if guess.number_rows:
        columns[guess.id] = np.array([f"row-{row}" for row in range(1, table.rows + 1)], dtype=object)
    columns[guess.label] = np.array(label, dtype=object)
    write_parquet(columns, into, np.flatnonzero(kept))


def _measured(spelled: str, guess: Guess) -> str | int | float:
    if guess.task == "binary":
        return int(spelled == guess.positive)
    return spelled if guess.task == "multiclass" else float(spelled)


def _tried(candidate: Candidate) -> tuple[str, ...]:
    """What a person should look at, after the artifact scored the held-out rows; ModelyardError where it cannot."""
    model = candidate.model
    try_artifact(model, candidate.artifact, candidate.folder)
    held = candidate.holdout()
    with candidate.load() as scorer:
        scores = scorer.score_table(held)
    check_range(model, scores)
    label = label_of(held, model)
    if model.task == "binary" and (found := auc(label, scores)) is not None and found < 0.5:
        return (
            f"The scores rank the label the wrong way round (AUC {found:.2f}). Perhaps the other value of"
            f" {model.contract.label} is the positive one: --positive VALUE",
        )
    if model.task == "multiclass":
        right = float((scores.argmax(axis=1) == label).mean())
        common = float(np.bincount(label.astype(np.int64)).max() / label.size)
        if right < common:
            return (
                f"The likeliest class is right in {right:.0%} of the rows, and the commonest class has {common:.0%}."
                " Perhaps the classes have another order in the model: correct contract.classes in model.yaml.",
            )
    return ()


@contextmanager
def _named(artifact: Path, folder: Path) -> Iterator[None]:
    """Errors name the file that the user gave, not its copy, and what can be done about it here."""
    try:
        yield
    except UsageError:
        raise
    except ModelyardError as error:
        problem = error.problem
        for name in ("given", *_NAMES.values()):
            problem = problem.replace(str(folder / name), str(artifact))
        ours = error.remedy.startswith(("Pull it again", "Run: modelyard retrain"))
        raise UsageError(problem, f"{_WAY_OUT}." if ours else error.remedy) from error
