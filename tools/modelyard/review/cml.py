"""CML first: where ``cml`` is on PATH and can find its own comment, the comment goes through it.

CML 0.20 reads the 30 oldest comments, takes the last that holds its watermark, whoever wrote it, and by default sends
images to a third party. So it is asked only where that finds the right comment, and never publishes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from modelyard.forges.ci import CI
from modelyard.forges.interface import Comment, PullForge

_PAGE = 30
_SECONDS = 120
_WATERMARK = re.compile(r"\s*!\[\]\(https://cml\.dev/watermark\.png[^)\n]*\)\s*")


def stick(
    forge: PullForge, ci: CI, root: Path, number: int, marker: str, title: str, body: str, say: Callable[[str], None]
) -> None:
    """Leaves one comment with ``marker`` on a pull request: through CML where it may, else through the forge's API.

    A body that stands there already is not written again. A repository may change from one way to the other.
    """
    comments = forge.comments(number)
    ours = next((c for c in comments if c.ours and marker in c.body), None)
    if ours is not None and without_watermark(ours.body) == body.rstrip():
        return
    if shutil.which("cml") and _cml_finds(comments, ours, title) and _through_cml(ci, root, number, title, body, say):
        return
    if ours is not None and _mark(title) in ours.body:
        body = f"{body.rstrip()}\n\n{''.join(_WATERMARK.findall(ours.body)[-1:]).strip()}\n"
    forge.write_comment(number, body, marker)


def without_watermark(body: str) -> str:
    """A comment's body as it was before CML signed it."""
    return _WATERMARK.sub("\n", body.replace("\r\n", "\n")).rstrip()


def _cml_finds(comments: list[Comment], ours: Comment | None, title: str) -> bool:
    signed = [c for c in comments[:_PAGE] if _mark(title) in c.body]
    if ours is None:
        return not signed and len(comments) < _PAGE
    return bool(signed) and signed[-1] == ours


def _through_cml(ci: CI, root: Path, number: int, title: str, body: str, say: Callable[[str], None]) -> bool:
    with tempfile.TemporaryDirectory(prefix="modelyard-") as scratch:
        file = Path(scratch) / "report.md"
        file.write_text(body, encoding="utf-8")
        # A home of its own: every call of CML writes to git's global settings.
        environment = os.environ | {"REPO_TOKEN": ci.token, "ITERATIVE_DO_NOT_TRACK": "1", "HOME": scratch}
        command = ["cml", "comment", "update", "--publish=false", f"--watermark-title={title}",
                   f"--target=pr/{number}", str(file)]  # fmt: skip
        try:
            done = subprocess.run(
                command, cwd=root, env=environment, capture_output=True, text=True, check=False, timeout=_SECONDS
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            say(f"cml did not work ({type(error).__name__}); the forge's API is used instead.")
            return False
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1].replace(ci.token or "\0", "***")
        say(f"cml ended with {done.returncode} ({said[:200]}); the forge's API is used instead.")
    return done.returncode == 0


def _mark(title: str) -> str:
    return f'"CML watermark {title}"'
