"""The sticky comment: our only comment with a marker on a pull request, posted by CML or by the forge's API."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from modelyard.forges.ci import CI
from modelyard.forges.interface import Comment, PullForge, is_marked

_PAGE = 30  # comments that CML reads on GitHub, oldest first
_SECONDS = 120
_WATERMARK = re.compile(r"\s*!\[\]\(https://cml\.dev/watermark\.png[^)\n]*\)\s*")
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_KEPT = ("PATH", "LANG", "CI", "TMPDIR", "SYSTEMROOT")
_KEPT_PREFIXES = ("LC_", "GITHUB_", "RUNNER_", "NODE_", "GIT_", "SSL_CERT_", "HTTP_", "HTTPS_", "NO_", "http", "no_")
"""What CML needs of the environment: the forge, proxies, certificates. Keys of the DVC remote are not among them."""


@dataclass(frozen=True)
class StickyComment:
    """Our only comment with a marker on a pull request."""

    pull: int
    marker: str
    body: str

    @property
    def title(self) -> str:
        """The title by which CML finds the comment. CML escapes ``_ * [ <`` in titles and then does not find them."""
        return f"modelyard-{hashlib.sha256(self.marker.encode()).hexdigest()[:16]}"


def stick(
    forge: PullForge, ci: CI, root: Path, comment: StickyComment, by_cml: bool, say: Callable[[str], None]
) -> None:
    """Writes the sticky comment: with ``by_cml`` by CML where it is installed and finds it, else by the forge's API.

    An equal body is not written again. What CML says is not believed: the comment is looked for after it ran. A
    repository can change between CML and the API.
    """
    body, title = comment.body, comment.title
    comments = forge.comments(comment.pull)
    ours = _ours(comments, comment)
    if ours is not None and without_watermark(ours.body) == body.rstrip():
        return
    if by_cml and _cml_finds(comments, ours, title) and _is_cml(say) and _through_cml(ci, root, comment, say):
        ours = _ours(forge.comments(comment.pull), comment)
        if ours is not None and without_watermark(ours.body) == body.rstrip():
            return
        say("cml ended without an error, but the report is not in a comment of ours; the forge's API is used instead.")
    if ours is not None and _mark(title) in ours.body:
        body = f"{body.rstrip()}\n\n{''.join(_WATERMARK.findall(ours.body)[-1:]).strip()}\n"
    forge.write_comment(comment.pull, body, comment.marker)


def without_watermark(body: str) -> str:
    """The body of a comment without the watermark that CML adds."""
    return _WATERMARK.sub("\n", body.replace("\r\n", "\n")).rstrip()


def _ours(comments: list[Comment], comment: StickyComment) -> Comment | None:
    return next((c for c in comments if c.ours and is_marked(c.body, comment.marker)), None)


def _cml_finds(comments: list[Comment], ours: Comment | None, title: str) -> bool:
    """Whether CML would edit our comment, or add the first one: it takes the last of its page with the title."""
    signed = [c for c in comments[:_PAGE] if _mark(title) in c.body]
    if ours is None:
        return not signed and len(comments) < _PAGE
    return bool(signed) and signed[-1] == ours


def _is_cml(say: Callable[[str], None]) -> bool:
    """Whether the program cml is CML: it says its version. It is asked without a token in its environment."""
    if not shutil.which("cml"):
        return False
    with tempfile.TemporaryDirectory(prefix="modelyard-") as scratch:
        done = _run(["cml", "--version"], Path(scratch), {"PATH": os.environ.get("PATH", ""), "HOME": scratch})
    if done is not None and done.returncode == 0 and _VERSION.fullmatch(done.stdout.strip()):
        return True
    say("The program cml does not say a version, so it gets no token; the forge's API is used instead.")
    return False


def _through_cml(ci: CI, root: Path, comment: StickyComment, say: Callable[[str], None]) -> bool:
    with tempfile.TemporaryDirectory(prefix="modelyard-") as scratch:
        file = Path(scratch) / "report.md"
        file.write_text(comment.body, encoding="utf-8")
        kept = {k: v for k, v in os.environ.items() if k in _KEPT or k.startswith(_KEPT_PREFIXES)}
        # A separate home folder, because each call of CML changes git's global settings.
        environment = kept | {"REPO_TOKEN": ci.token, "ITERATIVE_DO_NOT_TRACK": "1", "HOME": scratch}
        done = _run(
            ["cml", "comment", "update", "--publish=false", f"--watermark-title={comment.title}",
             f"--target=pr/{comment.pull}", str(file)],
            root, environment,
        )  # fmt: skip
    if done is None:
        say("cml did not end; the forge's API is used instead.")
        return False
    if done.returncode:
        message = (done.stderr.strip().splitlines() or ["no message"])[-1].replace(ci.token or "\0", "***")
        say(f"cml failed with exit code {done.returncode} ({message[:200]}); the forge's API is used instead.")
    return done.returncode == 0


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str] | None:
    """The finished program; None for one that cannot be started or does not end in time."""
    try:
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None


def _mark(title: str) -> str:
    return f'"CML watermark {title}"'
