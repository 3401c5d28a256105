"""Where tools leave evidence for one another in a checkout: ``.modelyard/evidence/<model>/``."""

from __future__ import annotations

from pathlib import Path

from modelyard.checkout.checkout import ModelView
from modelyard.evidence.statement import Kind
from modelyard.files import write_whole

KINDS: tuple[Kind, ...] = ("training", "evaluation", "probe", "drift", "artifact", "verdict")
GENERATED = ("dvc.lock", "metrics.json", "profile.json")
REPORTS = ("report.md", "report.html")


class Workspace:
    """The evidence folder of one model in one checkout."""

    def __init__(self, view: ModelView) -> None:
        self.folder = view.checkout.root / ".modelyard" / "evidence" / view.name

    def write(self, name: str, content: bytes) -> Path:
        """Leaves one document; the path it lies at."""
        path = self.folder / name
        write_whole(path, content)
        return path

    def write_evidence(self, kind: Kind, content: bytes) -> Path:
        """Leaves one evidence document."""
        return self.write(f"{kind}.json", content)

    def documents(self) -> dict[str, bytes]:
        """Kind → bytes of the evidence that is there."""
        found: dict[str, bytes] = {}
        for kind in KINDS:
            path = self.folder / f"{kind}.json"
            if path.is_file():
                found[kind] = path.read_bytes()
        return found

    def write_generated(self, files: dict[str, bytes]) -> None:
        """Leaves copies of what retraining wrote into the model's folder, for a job that may push them."""
        for name, content in files.items():
            self.write(f"generated/{name}", content)

    def reports(self) -> dict[str, bytes]:
        """File name → bytes of the rendered reports that are there."""
        return {name: (self.folder / name).read_bytes() for name in REPORTS if (self.folder / name).is_file()}

    def clear(self) -> None:
        """Removes what an earlier candidate left, so that nothing old is mistaken for new."""
        for name in [*(f"{kind}.json" for kind in KINDS), *REPORTS, *(f"generated/{name}" for name in GENERATED)]:
            (self.folder / name).unlink(missing_ok=True)
        if (self.folder / "generated").is_dir():
            (self.folder / "generated").rmdir()
