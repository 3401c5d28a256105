"""Verifies an audit bundle of modelyard with Python's standard library alone: ``python verify.pyzz bundle.zip``.

Prints PASS or FAIL per claim, and ends with 1 when one fails. Nothing in the bundle is believed: every git object is
hashed again, tags, commits and files are reached from the heads by their hashes, signatures are computed here.
Give ``--anchor anchor.json`` (kept since an earlier day, outside of the repository) to prove that nothing was deleted,
reordered or rewritten since then, and ``--key release.pub`` to trust only a key that you hold.
"""

from __future__ import annotations

import json
import sys
import textwrap
import zipfile
from pathlib import Path

from .claims import Auditor
from .objects import ClaimFailed, Repository


def main(arguments: list[str]) -> int:
    """Prints the claims; 0 when all hold, 1 when one does not, 2 for wrong use, 4 for a file that is no bundle."""
    paths, options = [], {"--anchor": [], "--key": []}  # type: ignore[var-annotated]
    waiting = iter(arguments)
    for argument in waiting:
        if argument in options:
            options[argument].append(next(waiting, ""))
        else:
            paths.append(argument)
    if len(paths) != 1 or paths[0].startswith("-"):
        print("usage: python verify.pyz BUNDLE.zip [--anchor ANCHOR.json] [--key PUBLIC.pem]")
        return 2
    try:
        anchor = json.loads(Path(options["--anchor"][-1]).read_bytes()) if options["--anchor"] else None
        keys = [Path(path).read_bytes() for path in options["--key"]]
        with zipfile.ZipFile(paths[0]) as archive:
            auditor = Auditor(Repository(archive), anchor, keys)
            passed = auditor.run()
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile, ClaimFailed) as error:
        print(f"FAIL  {paths[0]} cannot be verified: {error}")
        return 4
    try:
        _print(auditor.results)
    except BrokenPipeError:  # who reads has seen enough; the outcome is the exit code
        sys.stdout = None
    return 0 if passed else 1


def _print(results: list[tuple[bool, str, str]]) -> None:
    for good, subject, what in results:
        line = f"{'PASS' if good else 'FAIL'}  {subject} {what}"
        print(textwrap.fill(line, 80, subsequent_indent="      ", break_long_words=False, break_on_hyphens=False))
    good_ones = sum(good for good, _, _ in results)
    print(f"{'PASS' if good_ones == len(results) else 'FAIL'}  {good_ones} of {len(results)} claims hold", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
