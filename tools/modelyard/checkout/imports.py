"""The data imports of a model: pointers to sources outside the repository, which ``dvc update`` reads again."""

from __future__ import annotations

from modelyard.checkout.pipelines import Change, touched_models
from modelyard.git import Git
from modelyard.manifests.document import ManifestErrors
from modelyard.manifests.pipeline import is_import


def imports_of(git: Git, revision: str, model: str) -> tuple[str, ...]:
    """The ``.dvc`` files at a revision whose data reach the model through any number of pipelines, sorted.

    A file that cannot be read is none: ``modelyard validate`` reports it.
    """
    entries = git.entries_at(revision)
    pointers = {path: sha for path, (_, sha) in entries.items() if path.endswith(".dvc")}
    blobs = git.blobs(pointers.values())
    found = []
    for path in sorted(pointers):
        sha = pointers[path]
        if not _is_import(blobs[sha], path):
            continue
        # Whom would it reach if this file alone were another one?
        if model in touched_models(Change(entries, {path: (sha, sha)}, git.blobs, str(git.root)), [model]):
            found.append(path)
    return tuple(found)


def _is_import(content: bytes, path: str) -> bool:
    try:
        return is_import(content, path)
    except ManifestErrors:
        return False
