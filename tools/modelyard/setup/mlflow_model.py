"""The model folder of a registered model of an MLflow server: its file, taken without being loaded by MLflow.

Only a file that runs no code when it is loaded is taken. It goes through the checks of ``modelyard add --artifact``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelyard.documents import one_line
from modelyard.dvc import Dvc
from modelyard.errors import ModelyardError, UsageError
from modelyard.flavors.interface import MAXIMUM_ARTIFACT_BYTES
from modelyard.manifests.document import MAXIMUM_BYTES, parse_document
from modelyard.manifests.repository import ModelRepository
from modelyard.setup.artifact_addition import add_artifact
from modelyard.setup.contract_guess import Wishes
from modelyard.setup.guessed_inputs import Reason
from modelyard.setup.mlflow_import import PICKLES, aliases_of, files_of, number_of, place_of
from modelyard.setup.model_addition import require_new_name
from modelyard.targets.mlflow_server import MLflowServer

_DESCRIPTION = "MLmodel"
_FLAVORS = {"lightgbm": "data", "xgboost": "data", "catboost": "data", "onnx": "data", "sklearn": "pickled_model"}
"""MLflow's flavor → the key under which its description names the file."""
_SERVING = ("production", "prod", "champion")
"""Aliases that name the version in use, the strongest first; after them MLflow's old stage Production."""


@dataclass(frozen=True)
class Taken:
    """A model folder that was written, and the version of the server whose file it has."""

    version: int
    file: str
    """Its path below the version's folder on the server."""
    guesses: tuple[Reason, ...]
    warnings: tuple[str, ...]
    written: tuple[str, ...]
    """Paths from the repository's root."""


def take_model(
    repository: ModelRepository,
    server: MLflowServer,
    name: str,
    number: int,
    holdout: Path,
    wishes: Wishes,
    owners: Sequence[str],
    policy: str,
    say: Callable[[str], None],
) -> Taken | None:
    """Writes ``models/<name>`` with the file of a version (0: the one in use); None where that folder exists.

    ``holdout`` are labelled rows that the model was not trained on. Nothing is written after an error: UsageError for
    an unknown version, a file that may run code, one that the server does not store, and rows that do not fit it.
    """
    if name in repository.model_names():
        return None
    require_new_name(repository, name)
    number = _version(server, name, number)
    place = place_of(server, name, number)
    if not server.serves(place):
        raise UsageError(
            f"The files of {name} {number} are not stored by the server, but at {one_line(place) or 'no place'}.",
            f"Fetch the model's file, and give it: modelyard add {name} --artifact FILE --holdout TABLE",
        )
    with Dvc(repository.root).scratch() as scratch:
        into = Path(scratch) / "mlflow"
        into.mkdir()
        files = dict(files_of(server, place))
        file = _file(server, place, files, f"{name} {number}", into / _DESCRIPTION)
        given = into / Path(file).name
        say(f"  Fetching {file} of {name} {number}, {files[file]:,} bytes …")
        server.download(place, file, given, MAXIMUM_ARTIFACT_BYTES)
        origin = f"elsewhere, version {number} of {server.url}"
        try:
            added = add_artifact(repository, name, given, holdout, wishes, owners, policy, origin=origin)
        except ModelyardError as error:
            shown = error.problem.replace(str(given), f"{file} of {name} {number}")
            raise UsageError(shown, error.remedy.replace(str(given), "FILE")) from error
    return Taken(number, file, added.reasons, added.warnings, tuple(sorted(added.change.writes)))


def _version(server: MLflowServer, name: str, wanted: int) -> int:
    """The wanted version, else the one that an alias or the old stage names as the one in use."""
    query = {"filter": f"name='{name}'"}
    entries = {number_of(entry): entry for entry in server.pages("model-versions/search", "model_versions", query)}
    if wanted:
        if wanted not in entries:
            raise UsageError(f"The server has no version {wanted} of {name}.", "Name one that it has: --version N")
        return wanted
    models = server.pages("registered-models/search", "registered_models", {"filter": f"name='{name}'"})
    aliases = {
        alias.lower(): number
        for model in models if model.get("name") == name
        for alias, number in aliases_of(model).items() if number in entries
    }  # fmt: skip
    for alias in _SERVING:
        if alias in aliases:
            return aliases[alias]
    staged = [number for number, entry in entries.items() if entry.get("current_stage") == "Production"]
    if not staged:
        raise UsageError(
            f"No alias ({', '.join(_SERVING)}) and no stage says which version of {name} is in use.",
            "Name one: --version N",
        )
    return max(staged)


def _file(server: MLflowServer, place: str, files: dict[str, int], what: str, into: Path) -> str:
    """The path of the model's file, which the server lists; UsageError where it may run code, or there is none."""
    named: list[str] = []
    if _DESCRIPTION in files:
        server.download(place, _DESCRIPTION, into, MAXIMUM_BYTES)
        description = parse_document(into.read_bytes(), _DESCRIPTION, aliases=True).value
        named = [path for path in _named(description) if path in files]
    safe = [path for path in named if not path.lower().endswith(PICKLES)]
    if safe:
        return safe[0]
    unsafe = [path for path in (named or files) if path.lower().endswith(PICKLES)]
    if unsafe:
        raise UsageError(
            f"{what} is not taken: {one_line(unsafe[0])} may run code when it is loaded.",
            "Where you trust it, load it in its own environment, save it with its library (skops.io.dump for"
            " scikit-learn) or as ONNX, and give that file to modelyard add --artifact.",
        )
    raise UsageError(
        f"{what} is not taken: its MLmodel names no file of {', '.join(_FLAVORS)} that the server has.",
        "Fetch the model's file, and give it to modelyard add --artifact.",
    )


def _named(description: Any) -> Iterator[str]:
    flavors = description.get("flavors") if isinstance(description, dict) else None
    for flavor, key in _FLAVORS.items():
        found = flavors.get(flavor) if isinstance(flavors, dict) else None
        if isinstance(found, dict) and isinstance(found.get(key), str):
            yield found[key]
