"""The registry of an MLflow server as versions, stages and evidence of this repository.

Nothing is loaded and no artifact is fetched: its files are named with their sizes, and what cannot be known is listed.
An imported version is history. It is no champion and is never deployed; ``mlflow_model`` makes a model of its file that
is measured here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from modelyard.checkout.checkout import Checkout, ModelView
from modelyard.checkout.evidence_store import import_of
from modelyard.checkout.tags import NewTag, settle_tags, write_tags
from modelyard.documents import encode, one_line
from modelyard.manifests.names import Version, is_name
from modelyard.registry.tags import StageRecord, VersionRecord, stage_tag, version_tag, write_record
from modelyard.targets.mlflow_server import MLflowServer

PICKLES = (".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle", ".pt", ".pth", ".bin")
"""Endings of files that may run code when they are loaded."""
_MOST = 300
"""Names in one version."""
_UNKNOWN = (
    "the sha256 of the artifact", "the training code and its commit", "the held-out rows of the metrics",
    "the intervals of the metrics", "who approved the version", "whether the version can be reproduced",
)  # fmt: skip
_BATCH = 200
"""Versions that are written at once."""


@dataclass(frozen=True)
class ImportedVersion:
    """The evidence of one imported version: what the server said, and what it could not say."""

    source: str
    name: str
    number: int
    run: str
    created: float
    """Seconds since 1970."""
    by: str
    description: str
    stage: str
    """MLflow's old stage, such as Production; '' for none."""
    aliases: tuple[str, ...]
    params: dict[str, str]
    metrics: dict[str, float]
    data: dict[str, str]
    """Name of a data set → its digest."""
    files: tuple[tuple[str, int], ...]
    """Path and bytes of the files of its artifact; none was fetched."""
    unsafe: tuple[str, ...]
    """Files among them that may run code when they are loaded."""
    unknown: tuple[str, ...] = _UNKNOWN


@dataclass(frozen=True)
class Imported:
    """The result: what was written, and what was left out and why."""

    versions: int
    known: int
    """Versions that an earlier import wrote."""
    stages: tuple[str, ...]
    """Tags of aliases."""
    left_out: tuple[str, ...]
    unsafe: int
    """Imported versions with a file that may run code when it is loaded."""


def import_mlflow(
    checkout: Checkout, server: MLflowServer, only: frozenset[str], say: Callable[[str], None]
) -> Imported:
    """Imports the registered models of a server, or those named by ``only``. Importing again changes nothing."""
    settle_tags(checkout)
    environments = {environment.name for environment in checkout.repository.config.environments}
    left_out: list[str] = []
    stages: list[str] = []
    new = known = unsafe = 0
    for model in server.pages("registered-models/search", "registered_models"):
        name = str(model.get("name", ""))
        if only and name not in only:
            continue
        if not is_name(name):
            left_out.append(f"the model {one_line(name)!r}: its name is not valid here")
            continue
        view = checkout.model(name)
        checkout.reread(name, fetch=True)
        aliases = aliases_of(model)
        there, foreign = _there(view, server.url)
        waiting: list[tuple[ImportedVersion, Version]] = []
        for entry in sorted(
            server.pages("model-versions/search", "model_versions", {"filter": f"name='{name}'"}), key=number_of
        ):
            number = number_of(entry)
            version = Version.parse(f"v{number}.0.0")
            if version is None or not 0 < number < 10**9:
                left_out.append(f"{name}: a version without a number")
            elif version in there:
                known += 1
            elif version in foreign:
                left_out.append(
                    f"{name} {number}: {version_tag(name, version)} exists here and was not imported from this server"
                )
            else:
                waiting.append((_read(server, name, entry, aliases), version))
                unsafe += bool(waiting[-1][0].unsafe)
            if len(waiting) == _BATCH:
                new += _write(view, waiting)
                say(f"  {name}: {new} versions …")
                waiting = []
        new += _write(view, waiting)
        stages += _write_aliases(view, server.url, aliases, environments, left_out)
    return Imported(new, known, tuple(stages), tuple(left_out), unsafe)


def place_of(server: MLflowServer, name: str, number: int) -> str:
    """The artifact URI of a version; '' for none."""
    asked = {"name": name, "version": str(number)}
    return str((server.get("model-versions/get-download-uri", asked, missing=True) or {}).get("artifact_uri", ""))


def files_of(server: MLflowServer, place: str) -> tuple[tuple[str, int], ...]:
    """Path and bytes of the files at an artifact URI; empty where the server does not store them itself."""
    return server.listed(place, _MOST) if server.serves(place) else ()


def aliases_of(model: Mapping[str, Any]) -> dict[str, int]:
    """Alias → number of the version of a registered model."""
    found = {str(entry.get("alias", "")): number_of(entry) for entry in model.get("aliases", [])}
    return {alias: number for alias, number in found.items() if number}


def number_of(entry: Mapping[str, Any]) -> int:
    """The number of a version; 0 for none that is valid."""
    text = str(entry.get("version", ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _read(server: MLflowServer, name: str, entry: Mapping[str, Any], aliases: Mapping[str, int]) -> ImportedVersion:
    run_id, number = str(entry.get("run_id") or ""), number_of(entry)
    run = (server.get("runs/get", {"run_id": run_id}, missing=True) or {}).get("run", {}) if run_id else {}
    data = run.get("data", {})
    tags = {str(tag.get("key")): str(tag.get("value")) for tag in data.get("tags", [])}
    files = files_of(server, place_of(server, name, number))
    return ImportedVersion(
        source=server.url,
        name=name,
        number=number,
        run=one_line(run_id),
        created=_seconds(entry.get("creation_timestamp")),
        by=one_line(str(entry.get("user_id") or tags.get("mlflow.user") or "")),
        description=one_line(str(entry.get("description") or "")),
        stage=one_line(str(entry.get("current_stage") or "")).replace("None", ""),
        aliases=tuple(sorted(alias for alias, of in aliases.items() if of == number)),
        params={one_line(str(p.get("key"))): one_line(str(p.get("value"))) for p in data.get("params", [])[:_MOST]},
        metrics={
            one_line(str(m.get("key"))): float(m["value"])
            for m in data.get("metrics", [])[:_MOST]
            if _finite(m.get("value"))
        },
        data={
            one_line(str(one.get("dataset", {}).get("name"))): one_line(str(one.get("dataset", {}).get("digest")))
            for one in run.get("inputs", {}).get("dataset_inputs", [])[:_MOST]
        },
        files=files,
        unsafe=tuple(path for path, _ in files if path.lower().endswith(PICKLES)),
        unknown=_UNKNOWN if run else (*_UNKNOWN, "the run that made it"),
    )


def _write(view: ModelView, versions: list[tuple[ImportedVersion, Version]]) -> int:
    """Writes a commit, a tag and evidence of each version. The commits are on no branch; their tags keep them."""
    git, model, tags, files = view.checkout.git, view.name, [], {}
    parent = view.history.all_versions[-1].commit if view.history.all_versions else ""
    for found, version in versions:
        content = encode(found, order="sorted", indent=1) + b"\n"
        message = f"{model} {found.number}, imported from {found.source}"
        parent = git.commit_on(parent, {f"imports/{model}.json": content}, message)
        record = VersionRecord(
            artifact="", data=found.data, params=found.params, metrics=found.metrics, by=found.by,
            reasons=(f"version {found.number} of {found.source}",), imported=found.source,
        )  # fmt: skip
        tag = version_tag(model, version)
        tags.append(
            NewTag(
                tag, parent, write_record(f"Registering artifact {model} version {version}", record), int(found.created)
            )
        )
        files[import_of(model, tag)] = content
    if tags:
        write_tags(view, tags, files)
    return len(tags)


def _write_aliases(
    view: ModelView, source: str, aliases: Mapping[str, int], environments: set[str], left_out: list[str]
) -> list[str]:
    """Writes a stage tag of each alias that changed. An environment's name would claim that it serves the version."""
    there, _ = _there(view, source)
    tags: list[NewTag] = []
    counter = view.history.last_counter
    for alias, number in sorted(aliases.items()):
        version = Version.parse(f"v{number}.0.0")
        if alias in environments:
            left_out.append(f"{view.name}: the alias {alias} is an environment here; only deploy says what it serves")
        elif not is_name(alias) or version not in there:
            left_out.append(f"{view.name}: the alias {one_line(alias)!r}: its name or its version is not known here")
        elif (assigned := view.history.assigned(alias)) is None or assigned.version != version:
            counter += 1
            record = StageRecord(version=version, why=f"imported from {source}")
            message = write_record(f"Assigning stage {alias} to artifact {view.name} version {version}", record)
            tags.append(NewTag(stage_tag(view.name, alias, counter), there[version], message, 0))
    if tags:
        write_tags(view, tags, {})
    return [tag.name for tag in tags]


def _there(view: ModelView, source: str) -> tuple[dict[str, str], set[str]]:
    """Versions imported from a server with their commits, and all other taken versions."""
    ours = {str(v.version): v.commit for v in view.history.all_versions if v.record and v.record.imported == source}
    taken = {str(v.version) for v in view.history.all_versions} - ours.keys()
    strays = {tag.partition("@")[2] for tag in (*view.history.strays, *view.history.moved)}
    return ours, taken | strays


def _seconds(milliseconds: Any) -> float:
    return float(milliseconds) / 1000 if isinstance(milliseconds, (int, float)) and 0 < milliseconds < 1e14 else 0.0


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
