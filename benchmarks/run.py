"""Every figure this project claims, measured side by side in one run: ``make bench``, or one part: ``run.py PART``.

Medians of whole processes, as ratios; the absolute times are this machine's and no promise.
"""

from __future__ import annotations

import compileall
import shutil
import sys
import tempfile
from pathlib import Path

from crash_loop import crash_loop
from flavors import flavors
from installation import installation
from killed_setup import killed_setup
from mainline import mainline
from measurements import drift, evaluation
from merging import merging
from production import feedback, monitor
from pull_request import pull_request
from registry import registry, site
from serving import serving, soak, telemetry
from start_up import affected, start_up

PARTS = {
    part.__name__: part
    for part in (
        start_up, affected, pull_request, installation, drift, evaluation, registry, site, serving, telemetry, flavors,
        soak, monitor, feedback, crash_loop, killed_setup, mainline, merging,
    )
}  # fmt: skip


def main(wanted: list[str]) -> None:
    """Prints the table; ends with 1 when a bound is missed."""
    if unknown := sorted(set(wanted) - PARTS.keys()):
        raise SystemExit(f"There is no part {', '.join(unknown)}. Known: {', '.join(PARTS)}.")
    # As pip leaves an installed package; a checkout whose environment forbids writing bytecode compiles at every start.
    compileall.compile_dir(Path(__file__).parents[1] / "tools" / "modelyard", quiet=1)
    scratch = Path(tempfile.mkdtemp(prefix="modelyard-bench-"))
    missed = False
    try:
        print(f"{'what':64} {'ratio':>8} {'bound':>7}")
        for part in wanted or PARTS:
            (scratch / part).mkdir()
            for figure in PARTS[part](scratch / part):
                missed |= figure.missed
                bound = "" if figure.bound is None else f"{figure.bound:.3g}"
                missing = "  MISSED" if figure.missed else ""
                print(f"{figure.name:64} {figure.ratio:8.3g} {bound:>7}{missing}", flush=True)
    finally:
        shutil.rmtree(scratch)
    raise SystemExit(int(missed))


if __name__ == "__main__":
    main(sys.argv[1:])
