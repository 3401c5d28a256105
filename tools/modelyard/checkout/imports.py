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

    def reaching(paths: list[str]) -> list[str]:
        """Those that would touch the model if they were other ones: all halves are asked that touch it."""
        change = Change(entries, {path: (pointers[path], pointers[path]) for path in paths}, git.blobs, str(git.root))
        if not paths or model not in touched_models(change, [model]):
            return []
        half = len(paths) // 2
        return paths if len(paths) == 1 else [*reaching(paths[:half]), *reaching(paths[half:])]

    return tuple(reaching([path for path in sorted(pointers) if _is_import(blobs[pointers[path]], path)]))


def _is_import(content: bytes, path: str) -> bool:
    try:
        return is_import(content, path)
    except ManifestErrors:
        return False
