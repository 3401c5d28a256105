"""Verifies an audit bundle with Python's standard library: ``python verify.pyz BUNDLE.zip``.

It prints PASS or FAIL for each claim and exits with 1 when one fails. The bundle is untrusted: every git object is
hashed again, and tags, commits and files are reached from the heads by hash. ``--anchor ANCHOR.json``, saved earlier
outside of the repository, proves that nothing was deleted, reordered or rewritten since then. ``--key release.pub``
trusts only that key.
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
    """Prints the claims. Exit status: 0 all hold, 1 one fails, 2 wrong usage, 4 not a readable bundle."""
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
    except BrokenPipeError:  # the reader closed the pipe; the exit status is the result
        sys.stdout = None
    return 0 if passed else 1


def _print(results: list[tuple[bool, str, str]]) -> None:
    for passed, subject, claim in results:
        line = f"{'PASS' if passed else 'FAIL'}  {subject} {claim}"
        print(textwrap.fill(line, 80, subsequent_indent="      ", break_long_words=False, break_on_hyphens=False))
    count = sum(passed for passed, _, _ in results)
    print(f"{'PASS' if count == len(results) else 'FAIL'}  {count} of {len(results)} claims hold", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
