"""Nominal against observed, of every rule that can fail, alarm or take traffic back: ``honesty.py [PART …]``."""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from support.honesty.claim import Observed, row
from support.honesty.claims import CLAIMS


def observe(place: int) -> tuple[Observed, float]:
    """One claim, and the seconds that it took."""
    begun = time.perf_counter()
    return CLAIMS[place].observe(CLAIMS[place].runs), time.perf_counter() - begun


def main(wanted: list[str]) -> None:
    """Prints the table; ends with 1 when a rate is on the wrong side by more than chance."""
    known = {claim.part for claim in CLAIMS}
    if unknown := sorted({*wanted} - known):
        raise SystemExit(f"There is no part {', '.join(unknown)}. Known: {', '.join(sorted(known))}.")
    places = [i for i, claim in enumerate(CLAIMS) if not wanted or claim.part in wanted]
    print("| rule | what | wanted | observed |\n|---|---|---|---|")
    refuted = 0
    with ProcessPoolExecutor(min(os.cpu_count() or 1, 2)) as pool:
        for place, (found, seconds) in zip(places, pool.map(observe, places), strict=True):
            wrong = CLAIMS[place].refuted(found)
            refuted += wrong
            print(f"{row(CLAIMS[place])} {found}", flush=True)
            print(
                f"    {found.events} of {found.chances}, {seconds:.0f} s{'  REFUTED' if wrong else ''}", file=sys.stderr
            )
    raise SystemExit(int(refuted > 0))


if __name__ == "__main__":
    main(sys.argv[1:])
