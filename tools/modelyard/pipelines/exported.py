"""The generated files of a repository: where they are, what they should say, and which are not current."""

from __future__ import annotations

from modelyard.errors import ModelyardError, UsageError
from modelyard.files import small_files
from modelyard.manifests.document import Problem
from modelyard.manifests.pipeline import Pipeline, read_pipeline
from modelyard.manifests.repository import ModelRepository
from modelyard.pipelines.interface import engine_named, plan_of

_ENDING = "_pipeline.py"


def exported_file(model: str, engine: str) -> str:
    """The path of a generated file from the repository's root. A file named as its engine would hide the engine."""
    return f"models/{model}/pipelines/{engine}{_ENDING}"


def export(repository: ModelRepository, model: str, engine: str) -> str:
    """The text of a model's file for an engine; ModelyardError when its pipeline cannot be exported."""
    manifest = repository.model(model)
    if manifest.trained == "elsewhere":
        raise UsageError(
            f"{model} was trained elsewhere, so there is no pipeline to export.", "Export a model that is trained here."
        )
    return engine_named(engine).render(plan_of(manifest, pipeline_of(repository, model)))


def pipeline_of(repository: ModelRepository, model: str) -> Pipeline:
    """The stages of a model's ``dvc.yaml`` in the working tree; UsageError when there is no such file."""
    file, read = f"models/{model}/dvc.yaml", small_files(repository.root)
    content = read(file)
    if content is None:
        raise UsageError(f"The model {model} has no {file}.", "Write its pipeline first; see dvc stage add.")
    return read_pipeline(content, file, read)


def is_current(repository: ModelRepository, model: str, engine: str) -> bool:
    """Whether the file in the working tree is what would be exported now."""
    path = repository.root / exported_file(model, engine)
    return path.is_file() and path.read_bytes() == export(repository, model, engine).encode()


def stale_exports(repository: ModelRepository) -> list[Problem]:
    """The generated files that differ from ``dvc.yaml`` and ``model.yaml``, each with what to do."""
    found = []
    for model in repository.model_names():
        folder = repository.root / "models" / model / "pipelines"
        for path in sorted(folder.glob(f"*{_ENDING}")) if folder.is_dir() else []:
            engine = path.name.removesuffix(_ENDING)
            file = exported_file(model, engine)
            try:
                current = is_current(repository, model, engine)
            except ModelyardError as error:
                what = f"cannot be made anew: {error.problem}"
                found.append(Problem(file, 1, "", what, error.remedy))
                continue
            if not current:
                what = "is not what dvc.yaml and model.yaml say now."
                remedy = f"Run modelyard export {engine} {model}, then commit the file."
                found.append(Problem(file, 1, "", what, remedy))
    return found
