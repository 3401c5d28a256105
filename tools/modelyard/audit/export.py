"""The audit bundle: all git objects that the claims need, the history as a git bundle, and the anchor."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modelyard.checkout.checkout import Checkout
from modelyard.errors import UsageError
from modelyard.files import write_whole
from modelyard.git import Git
from modelyard.manifests.repository import APPROVALS, model_file
from modelyard.registry.tags import parse_tag

_STAMP = (1980, 1, 1, 0, 0, 0)


def heads(checkout: Checkout) -> dict[str, Any]:
    """The anchor: heads of main and evidence, and all registry tags with their object ids.

    UsageError without evidence.
    """
    git, evidence = checkout.git, checkout.evidence.newest()
    if evidence is None:
        raise UsageError("This clone has no evidence.", "Run modelyard register, or fetch modelyard/evidence.")
    tags = {tag.name: tag.object for tag in git.tags() if tag.annotated and parse_tag(tag.name)}
    return {"heads": {"main": git.commit_of("HEAD"), "evidence": evidence}, "tags": dict(sorted(tags.items()))}


def export(checkout: Checkout, out: Path, environment: str, anchor: Path | None) -> int:
    """Writes the bundle and verify.pyz beside it; returns the number of git objects. Equal heads give equal bytes."""
    git = checkout.git
    if git.is_shallow():
        raise UsageError(
            "This clone is shallow, and an audit needs the whole history.", "Run: git fetch --unshallow --tags"
        )
    checkout.evidence.refresh()
    now = heads(checkout)
    signing = checkout.repository.config.signing
    manifest = {
        "format": 1,
        "environment": environment,
        "keys": list(signing.keys) if signing else [],
        "anchor": json.loads(anchor.read_bytes()) if anchor else None,
        **now,
    }
    objects, history = _objects(checkout, manifest), _bundle(git)
    manifest["repository.bundle"] = hashlib.sha256(history).hexdigest()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "manifest.json", json.dumps(manifest, indent=1, sort_keys=True).encode())
        _add(archive, "README.txt", _README.encode())
        for sha, content in sorted(objects.items()):
            _add(archive, f"objects/{sha}", content)
        _add(archive, "repository.bundle", history)
    write_whole(out, buffer.getvalue())
    write_whole(out.with_name("verify.pyz"), verifier())
    return len(objects)


def verifier() -> bytes:
    """The stand-alone verifier as a zip that Python runs; it contains only source files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        start = "import sys\n\nfrom verifier.__main__ import main\n\nsys.exit(main(sys.argv[1:]))\n"
        _add(archive, "__main__.py", start.encode())
        for path in sorted((Path(__file__).parent / "verifier").glob("*.py")):
            _add(archive, f"verifier/{path.name}", path.read_bytes())
    return buffer.getvalue()


def _objects(checkout: Checkout, manifest: dict[str, Any]) -> dict[str, bytes]:
    git = checkout.git
    main, evidence = manifest["heads"]["main"], manifest["heads"]["evidence"]
    shas = set(git.reachable(evidence, objects=True))
    shas |= set(git.reachable(main))
    shas |= set(manifest["tags"].values())
    versions = {tag.commit: parse_tag(tag.name) for tag in git.tags() if tag.annotated and parse_tag(tag.name)}
    folders = ["policies", "waivers", APPROVALS]
    for commit, parsed in versions.items():
        model = parsed.model if parsed else ""
        shas |= git.trees_and_blobs(commit, *folders, model_file(model), f"models/{model}/dvc.lock")
        shas |= set(git.reachable(commit))
    for commit, base in _changes(checkout):
        parents = git.commit_info(commit).parents  # of a turned merge, main's line goes on by another than the first
        for before in {base, *parents} - {""}:
            shas |= git.trees_and_blobs(before, APPROVALS)
        for parent in parents:
            shas |= git.differing_trees(parent, commit)
    shas |= git.trees_and_blobs(main, *manifest["keys"])
    return git.objects(sorted(shas))


def _changes(checkout: Checkout) -> set[tuple[str, str]]:
    """The commits that were approved, each with the base whose rules were applied, from the filed approvals."""
    found = set()
    for path, content in checkout.evidence.filed().items():
        if "/approvals/" in path:
            try:
                changes = json.loads(content)["predicate"]["changes"]
                found |= {(str(change["commit"]), str(change["base"])) for change in changes}
            except (ValueError, KeyError, TypeError):
                continue  # the verifier reports such faults
    known = {sha: checkout.git.has_commit(sha) for sha in {sha for pair in found for sha in pair if sha}}
    return {(commit, base) for commit, base in found if known.get(commit) and known.get(base, True)}


def _bundle(git: Git) -> bytes:
    with TemporaryDirectory(prefix="modelyard-") as scratch:
        path = Path(scratch) / "repository.bundle"
        git.write_bundle(path, git.refs("refs/heads", "refs/tags"))
        return path.read_bytes()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(name, _STAMP)  # a fixed time, so that equal heads give equal bytes
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, content)


_README = """\
An audit bundle of a model repository that uses modelyard.

    python verify.pyz BUNDLE.zip [--anchor ANCHOR.json] [--key release.pub]

verify.pyz needs only Python 3.11 or newer. Take it from the modelyard release, not from the audited organisation.
objects/ holds git objects by hash. repository.bundle holds the whole history: git clone repository.bundle
"""
