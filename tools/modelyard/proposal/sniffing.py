"""The format of a file by its first bytes. Imports nothing that could load a model."""

from __future__ import annotations

import zipfile
from pathlib import Path

from modelyard.errors import ModelyardError
from modelyard.evidence.artifact import HEAD_BYTES, sniff
from modelyard.manifests.policy import ArtifactFormat

_MEMBERS = 10_000


def sniff_file(path: Path) -> ArtifactFormat | None:
    """The format of a file by its content, whatever its name; None when it is none that is known."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        members: tuple[str, ...] = ()
        if head.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(path) as archive:
                members = tuple(archive.namelist()[:_MEMBERS])
    except (OSError, zipfile.BadZipFile) as error:
        raise ModelyardError(f"{path} cannot be read: {error}.", "Run: modelyard retrain MODEL") from error
    return sniff(head, members)
