"""Where the toolkit comes from: a package index, or a commit of a Git repository."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import yaml

from modelyard import __version__
from modelyard.errors import ModelyardError, UsageError
from modelyard.manifests.location import ANSWERS

INDEX = "index"
_GIT = re.compile(r"git\+(?:https|ssh|file)://[^\s@#]*(?:[\w.-]+@)?[^\s@#]+@[0-9a-f]{40}")
_SCP = re.compile(r"([\w.-]+@)?([\w.-]+):(?!/)(\S+)")
_HEAD = "# The toolkit itself. Written by modelyard init and modelyard update."


def checked_source(source: str) -> str:
    """A source as it was given; UsageError unless it is ``index`` or ``git+URL@COMMIT`` with 40 hexadecimal digits."""
    if source == INDEX or _GIT.fullmatch(source):
        return source
    raise UsageError(
        f"The toolkit's source {source!r} is neither {INDEX!r} nor git+https://…@COMMIT.",
        "Give the commit with its 40 digits; git ls-remote URL TAG prints it.",
    )


def source_of(root: Path) -> str:
    """Where the CI of a model repository installs the toolkit from, as its answers say; else ``own_source``."""
    try:
        answers = yaml.safe_load((root / ANSWERS).read_text(encoding="utf-8"))
    except (FileNotFoundError, yaml.YAMLError, UnicodeDecodeError):
        return own_source()
    source = answers.get("toolkit") if isinstance(answers, dict) else None
    return checked_source(str(source)) if source else own_source()


def own_source() -> str:
    """The source of the running toolkit, as far as this machine knows it; ``index`` otherwise."""
    origin = _origin()
    if "vcs_info" in origin:
        return _checked_or_index(f"git+{without_password(origin['url'])}@{origin['vcs_info'].get('commit_id', '')}")
    if "dir_info" in origin and str(origin["url"]).startswith("file://"):
        return _checked_or_index(_of_checkout(Path(str(origin["url"]).removeprefix("file://"))))
    return INDEX


def toolkit_requirement(source: str) -> str:
    """The content of ``requirements/toolkit.txt`` for a source.

    From an index, with the hashes of the wheel and the source archive, where this machine knows or can ask for them.
    """
    if source != INDEX:
        return f"{_HEAD}\nmodelyard @ {source}\n"
    hashes = _known_hashes()
    lines = " \\\n    ".join([f"modelyard=={__version__}", *(f"--hash=sha256:{value}" for value in hashes)])
    return f"{_HEAD}\n{lines}\n"


def _known_hashes() -> list[str]:
    origin = _origin()
    if not origin:  # installed from an index, which pip and uv do not note
        return _hashes_of_index()
    known = origin.get("archive_info", {})
    value = known.get("hashes", {}).get("sha256") or str(known.get("hash", "")).removeprefix("sha256=")
    return [value] if re.fullmatch("[0-9a-f]{64}", value) else []


def _hashes_of_index() -> list[str]:
    """The hashes that the configured index gives; none without network, uv, or that version."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "-", "--no-deps", "--generate-hashes", "--quiet"]
    try:
        done = subprocess.run(
            command, input=f"modelyard=={__version__}\n", capture_output=True, text=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return sorted(set(re.findall(r"--hash=sha256:([0-9a-f]{64})", done.stdout)))


def _origin() -> dict[str, dict[str, dict[str, str]]]:
    """What the installer noted (PEP 610); empty for an installation from an index."""
    try:
        text = metadata.distribution("modelyard").read_text("direct_url.json")
    except metadata.PackageNotFoundError as error:
        raise ModelyardError(
            "The installed modelyard has no metadata.", "Install it with: pip install modelyard"
        ) from error
    return dict(json.loads(text)) if text else {}


def _of_checkout(folder: Path) -> str:
    """The source of a checkout whose commit is on its remote; '' for any other."""

    def said(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    url, commit = said("remote", "get-url", "origin"), said("rev-parse", "HEAD")
    if short := _SCP.fullmatch(url):
        url = f"ssh://{short[1] or ''}{short[2]}/{short[3]}"
    pushed = bool(said("branch", "--remotes", "--contains", "HEAD"))
    sound = pushed and url.startswith(("https://", "ssh://"))
    return f"git+{without_password(url)}@{commit}" if sound else ""


def without_password(url: object) -> str:
    """The URL of a repository without what somebody logs in with."""
    text = str(url)
    return re.sub(r"^(https://)[^/@]*@", r"\1", text) if text.startswith("https://") else text


def _checked_or_index(source: str) -> str:
    return source if _GIT.fullmatch(source) else INDEX
