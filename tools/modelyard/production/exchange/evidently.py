"""Evidently: a drift report, a quality report where labels are known, and both as snapshots of a Workspace."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from modelyard.documents import encode
from modelyard.errors import ModelyardError
from modelyard.installation.environments import run_tool
from modelyard.manifests.model import Model
from modelyard.production.exchange.interface import WindowToExport
from modelyard.production.exchange.rows import DECISION, roles_of, write_held_out, write_window

_MOST = 50_000
"""Rows of each side; of more, every n-th is taken."""
_SECONDS = 900
_PROGRAM = Path(__file__).with_name("evidently_program.py")
REPORTS = ("drift", "quality")


class Evidently:
    """The adapter for Evidently. Its reference is the version's held-out rows, scored by the version itself."""

    requirements = ("evidently==0.7.23", "pandas>=2.2,<3", "pyarrow>=17")

    def export(self, exported: WindowToExport, folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
        """Writes ``drift`` and ``quality`` as HTML and JSON, and their snapshots to ``workspace/``.

        What is kept is the numbers of the reports; no row is among them.
        """
        with TemporaryDirectory(prefix="modelyard-") as place:
            scratch = Path(place)
            of = exported.monitoring.rows
            rows = write_window(exported, scratch / "current.parquet", _MOST)
            held = write_held_out(exported, scratch / "reference.parquet", _MOST, say)
            if not rows or not held:
                lacks = "answered rows in the window" if not rows else "held-out rows that this clone can fetch"
                raise ModelyardError(
                    f"Evidently has nothing to compare: there are no {lacks}.",
                    "Choose a longer window."
                    if not rows
                    else "Fetch them with dvc pull, or let this job read the remote.",
                )
            say(f"Evidently compares {rows:,} rows with {held:,} held-out rows …")
            job = scratch / "job.json"
            job.write_bytes(encode(job_of(exported)))
            workspace = folder / "workspace"
            workspace.mkdir(parents=True, exist_ok=True)
            run_tool("evidently", self.requirements, _PROGRAM, (job, scratch, workspace.resolve()), _SECONDS)
            written = [name for name in REPORTS if (scratch / f"{name}.json").is_file()]
            for name in REPORTS:
                for suffix in (".html", ".json"):
                    (folder / f"{name}{suffix}").unlink(missing_ok=True)  # of an earlier window
                    if name in written:
                        shutil.move(scratch / f"{name}{suffix}", folder / f"{name}{suffix}")
            reports = {name: msgspec.json.decode((folder / f"{name}.json").read_bytes()) for name in written}
        return {"tool": self.requirements[0], "rows": rows, "of": of, "held_out": held, "reports": reports}


def job_of(exported: WindowToExport) -> dict[str, Any]:
    """What the program in Evidently's environment is told: names, roles of columns, the span."""
    model, monitoring = exported.view.manifest, exported.monitoring
    roles = roles_of(model)
    return {
        "project": f"{model.name} in {monitoring.environment}",
        "name": f"{monitoring.version} {monitoring.since} to {monitoring.until}",
        "until": monitoring.until,
        "numbers": [*roles.numbers, roles.score],
        "levels": [*roles.levels, *([DECISION] if _decides(model) else [])],
        "label": roles.label,
        "score": roles.score,
        "decision": DECISION,
        "task": model.task,
        "threshold": model.contract.threshold,
    }


def _decides(model: Model) -> bool:
    return model.task in ("binary", "multiclass")
