"""The folder ``.modelyard/evidence/<model>/`` of a checkout, in which commands exchange evidence."""

from __future__ import annotations

import shutil
from pathlib import Path

from modelyard.checkout.checkout import ModelView
from modelyard.evidence.statement import Kind
from modelyard.files import write_whole
from modelyard.manifests.names import is_name

KINDS: tuple[Kind, ...] = (
    "training", "evaluation", "probe", "drift", "artifact", "reproduction", "custom", "verdict"
)  # fmt: skip
TRACKED = ("dvc.lock", "metrics.json")
"""Files of a model that retraining writes and git tracks. Its profile, which model.yaml names, is tracked too."""
PROFILE = "profile.json"
"""The name of the profile's copy, whatever model.yaml names the profile."""
COPIES = (*TRACKED, PROFILE)
"""The names in the folder ``generated`` of an untrusted bundle."""
RUN = "run.json"
"""What a retraining says of itself: cause, duration, size."""
IMPORTS = "imports"
"""The folder with the pointers of data imports that a retraining renewed, by their paths from the root."""
REPORTS = ("report.md", "report.html")


def is_generated(path: str) -> bool:
    """Whether retraining writes a path."""
    parts = path.split("/", 2)
    if len(parts) != 3 or parts[0] != "models" or not is_name(parts[1]):
        return False
    return parts[2] in COPIES


class Workspace:
    """The evidence folder of one model in one checkout."""

    def __init__(self, view: ModelView) -> None:
        self.folder = view.checkout.root / ".modelyard" / "evidence" / view.name

    def write(self, name: str, content: bytes) -> Path:
        """The path of a document, which is written."""
        path = self.folder / name
        write_whole(path, content)
        return path

    def write_evidence(self, kind: Kind, content: bytes) -> Path:
        """The path of an evidence document, which is written."""
        return self.write(f"{kind}.json", content)

    def remove_evidence(self, kind: Kind) -> None:
        """Removes an evidence document of an earlier candidate."""
        (self.folder / f"{kind}.json").unlink(missing_ok=True)

    def documents(self) -> dict[str, bytes]:
        """Kind → bytes of the evidence in the folder."""
        found: dict[str, bytes] = {}
        for kind in KINDS:
            path = self.folder / f"{kind}.json"
            if path.is_file():
                found[kind] = path.read_bytes()
        return found

    def write_generated(self, files: dict[str, bytes]) -> None:
        """Copies the files that retraining wrote, for a job that may push them."""
        for name, content in files.items():
            self.write(f"generated/{name}", content)

    def reports(self) -> dict[str, bytes]:
        """File name → bytes of the rendered reports in the folder."""
        return {name: (self.folder / name).read_bytes() for name in REPORTS if (self.folder / name).is_file()}

    def clear(self) -> None:
        """Removes the files of an earlier candidate, so that they are not taken for new ones."""
        names = [*(f"{kind}.json" for kind in KINDS), RUN, *REPORTS, *(f"generated/{name}" for name in COPIES)]
        for name in names:
            (self.folder / name).unlink(missing_ok=True)
        shutil.rmtree(self.folder / IMPORTS, ignore_errors=True)
        if (self.folder / "generated").is_dir():
            (self.folder / "generated").rmdir()
