"""Artifacts in the storage that a cluster reads, through fsspec."""

from __future__ import annotations

from pathlib import Path

from modelyard.errors import ModelyardError, missing_extra


def put(source: Path, uri: str) -> None:
    """Copies a file to a URI such as ``s3://bucket/models/churn/v1.2.0/model.txt``; ModelyardError when it cannot."""
    try:
        import fsspec
    except ImportError as error:
        raise missing_extra("train", "fsspec") from error
    try:
        system, path = fsspec.core.url_to_fs(uri)
        system.makedirs(path.rpartition("/")[0], exist_ok=True)
        system.put_file(str(source), path)
    except (OSError, ImportError, ValueError) as error:
        raise ModelyardError(
            f"The artifact cannot be copied to {uri}: {error}.",
            "Check storage in modelyard.yaml, its credentials, and that its fsspec driver (such as s3fs) is installed.",
        ) from error


def remove(uri: str) -> None:
    """Deletes a folder of a store; a missing one is no error."""
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(uri)
        system.rm(path, recursive=True)
    except FileNotFoundError:
        return
    except (OSError, ImportError, ValueError) as error:
        raise ModelyardError(
            f"{uri} cannot be deleted: {error}.", "Delete it yourself, or grant the right to delete it."
        ) from error


def put_folder(source: Path, uri: str) -> None:
    """Copies every file of a folder below a URI."""
    for path in sorted(source.rglob("*")):
        if path.is_file():
            put(path, f"{uri.rstrip('/')}/{path.relative_to(source).as_posix()}")
