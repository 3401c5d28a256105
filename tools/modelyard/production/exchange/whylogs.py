"""whylogs: one profile for each day of a window, which are merged over days."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from modelyard.candidate.whylogs_profiles import REQUIREMENTS
from modelyard.documents import encode
from modelyard.errors import ModelyardError
from modelyard.installation.environments import run_tool
from modelyard.production.exchange.interface import WindowToExport
from modelyard.production.exchange.rows import DAY, write_window

_SECONDS = 1800
_PROGRAM = Path(__file__).with_name("whylogs_program.py")


class Whylogs:
    """The adapter for whylogs. Profiles name frequent levels, so they are files of the team and no evidence."""

    requirements = REQUIREMENTS

    def export(self, exported: WindowToExport, folder: Path, say: Callable[[str], None]) -> None:
        """Writes ``<environment>/<version>/<day>.bin`` of all rows, and the days merged in ``merged/``.

        A day that is there with more rows is kept: a window may begin or end within it.
        """
        monitoring = exported.monitoring
        with TemporaryDirectory(prefix="modelyard-") as place:
            scratch = Path(place)
            rows = write_window(exported, scratch / "rows.parquet")
            if not rows:
                raise ModelyardError(
                    "whylogs has nothing to profile: the window has no answered rows.", "Choose a longer window."
                )
            say(f"whylogs profiles {rows:,} rows …")
            job = scratch / "job.json"
            tags = {"model": exported.view.name, "environment": monitoring.environment, "version": monitoring.version}
            job.write_bytes(encode({"day": DAY, "tags": tags}))
            into = folder.resolve() / monitoring.environment / monitoring.version
            into.mkdir(parents=True, exist_ok=True)
            run_tool("whylogs", self.requirements, _PROGRAM, (job, scratch / "rows.parquet", into), _SECONDS)
