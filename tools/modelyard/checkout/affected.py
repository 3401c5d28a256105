"""The models that a diff affects, found from the paths that their files name. DVC is not loaded."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from modelyard.git import Git
from modelyard.manifests.document import ManifestErrors, parse_document
from modelyard.manifests.pipeline import Pipeline, pointer_outputs, read_pipeline
from modelyard.registry.history import read_registry

_FEW = 100
_COMMENT = re.compile(rb"(?:^|\s)#.*", re.MULTILINE)


@dataclass(frozen=True)
class Affected:
    """One model, and the changed files that affect it."""

    model: str
    reasons: tuple[str, ...]


def affected_models(git: Git, base: str, head: str) -> list[Affected]:
    """Models of ``head`` affected by the changes since its merge base with ``base``, sorted by name."""
    changed = set(git.changed_files(base, head))
    if not changed:
        return []
    files = git.files_at(head, "models")
    models = sorted(_model_names(files))
    reasons = {model: {path for path in changed if path.startswith(f"models/{model}/")} for model in models}
    outside = {path for path in changed if not any(path in found for found in reasons.values())}
    outside |= _pointed_at(git, head, outside)
    _through_references(git, files, models, outside, reasons)
    return [Affected(model, tuple(sorted(found))) for model, found in reasons.items() if found]


def all_models(git: Git) -> list[Affected]:
    """Every model of HEAD, sorted by name."""
    files = git.files_at("HEAD", "models")
    return [Affected(name, ("requested",)) for name in sorted(_model_names(files))]


def unregistered_models(git: Git) -> list[Affected]:
    """Models that are merged but not registered: no version has the dvc.lock of HEAD."""
    files = git.files_at("HEAD", "models")
    locks = {name: files[f"models/{name}/dvc.lock"] for name in sorted(_model_names(files))
             if f"models/{name}/dvc.lock" in files}  # fmt: skip
    blobs = git.blobs(locks.values())
    registry = read_registry(git.tags())
    found = []
    for name, sha in locks.items():
        digest = hashlib.sha256(blobs[sha]).hexdigest()
        known = {version.record.lock for version in registry.history(name).versions if version.record}
        if digest not in known:
            found.append(Affected(name, (f"models/{name}/dvc.lock is not registered yet",)))
    return found


def _model_names(files: Iterable[str]) -> set[str]:
    return {path.split("/")[1] for path in files if path.count("/") == 2 and path.endswith("/model.yaml")}


def _through_references(
    git: Git, files: dict[str, str], models: list[str], outside: set[str], reasons: dict[str, set[str]]
) -> None:
    """Adds to ``reasons``: models whose dvc.yaml or model.yaml names a changed file, and readers of affected models."""
    wanted = {m: [files[f"models/{m}/{n}"] for n in ("dvc.yaml", "model.yaml") if f"models/{m}/{n}" in files]
              for m in models}  # fmt: skip
    blobs = git.blobs(sha for shas in wanted.values() for sha in shas)
    texts = {model: b"\n".join(blobs[sha] for sha in shas) for model, shas in wanted.items()}
    pipelines: dict[str, Pipeline | None] = {}
    fresh = outside | {f"models/{model}" for model, found in reasons.items() if found}
    first = fresh
    while fresh:
        # Parsing 500 pipelines is the slowest part. It is skipped for a text that names no fresh path, and for one that
        # names a path in full. For a very large diff the patterns would cost more than parsing.
        named, spelled = (_mention(fresh), _spelled(fresh)) if len(fresh) <= _FEW else (None, None)
        found_now: set[str] = set()
        for model in models:
            if reasons[model] and fresh is not first:
                continue  # affected already; further reasons add nothing
            if named and not named.search(texts[model]):
                continue
            hits = _spelled_paths(spelled, texts[model]) if spelled else set()
            if not hits:
                if model not in pipelines:
                    pipelines[model] = _pipeline(git, files, blobs, model)
                hits = _hits(pipelines[model], texts[model], model, fresh)
            if hits - reasons[model]:
                if not reasons[model]:
                    found_now.add(f"models/{model}")
                reasons[model] |= hits
        fresh = found_now


def _spelled(paths: Iterable[str]) -> re.Pattern[bytes] | None:
    """A pattern for paths outside of models/ as a model's files write them in full, such as ``../../data/flights``."""
    outside = sorted(re.escape(path.encode()) for path in paths if not path.startswith(("models/", "policies/")))
    return re.compile(rb"(?<![\w./-])\.\./\.\./(" + rb"|".join(outside) + rb")(?![\w.-])") if outside else None


def _spelled_paths(spelled: re.Pattern[bytes], text: bytes) -> set[str]:
    """The changed paths that a text names outside of comments; none if it sets ``wdir`` or uses templates."""
    if b"wdir" in text or b"${" in text:
        return set()
    return {path.decode() for path in spelled.findall(_COMMENT.sub(b"", text))}


def _hits(pipeline: Pipeline | None, text: bytes, model: str, changed: Collection[str]) -> set[str]:
    if pipeline is None:  # an unreadable dvc.yaml may depend on anything
        return {f"models/{model}/dvc.yaml"}
    own = f"models/{model}"
    reads = {path for path in pipeline.reads if path != own and not path.startswith(own + "/")}
    hits = {path for path in changed if any(_overlap(path, read) for read in reads)}
    for path in changed:
        if path.startswith("policies/"):
            name = posixpath.splitext(posixpath.basename(path))[0]
            if f"policy: {name}".encode() in text or f'policy: "{name}"'.encode() in text:
                hits.add(path)
    return hits - {own}


def _overlap(path: str, read: str) -> bool:
    """Whether two paths are equal, or one lies below the other."""
    return path == read or path.startswith(read + "/") or read.startswith(path + "/") or read == "."


def _pipeline(git: Git, files: dict[str, str], blobs: dict[str, bytes], model: str) -> Pipeline | None:
    sha = files.get(f"models/{model}/dvc.yaml")
    if sha is None:
        return Pipeline(frozenset(), frozenset())
    content = blobs[sha]
    variables: dict[str, object] = {}
    try:
        params = files.get(f"models/{model}/params.yaml")
        if b"${" in content and params:
            value = parse_document(git.blobs([params])[params], f"models/{model}/params.yaml").value
            variables = value if isinstance(value, dict) else {}
        return read_pipeline(content, f"models/{model}/dvc.yaml", variables)
    except ManifestErrors:
        return None


def _pointed_at(git: Git, head: str, changed: Iterable[str]) -> set[str]:
    """The data paths of changed ``.dvc`` pointers; for a deleted pointer, the path that its name implies."""
    found: set[str] = set()
    for path in changed:
        if not path.endswith(".dvc"):
            continue
        found.add(path.removesuffix(".dvc"))
        content = git.file_at(head, path)
        if content is not None:
            try:
                found |= {entry.path for entry in pointer_outputs(content, path)}
            except ManifestErrors:
                continue
    return found


def _mention(paths: Iterable[str]) -> re.Pattern[bytes]:
    """A pattern for texts that may name one of the paths, a folder above one, or any path through a template."""
    names = {re.escape(posixpath.basename(path).encode()) for path in paths}
    # model.yaml names a policy without its extension.
    names |= {
        re.escape(posixpath.splitext(posixpath.basename(p))[0].encode()) for p in paths if p.startswith("policies/")
    }
    around = {re.escape(part.encode()) for path in paths for part in path.split("/")[:-1]}
    folders = rb"(?:" + rb"|".join(sorted(around)) + rb")/?(?=[\s,\"'\]}:]|$)" if around else rb"(?!)"
    return re.compile(rb"\$\{|" + rb"|".join(sorted(names)) + rb"|" + folders)
