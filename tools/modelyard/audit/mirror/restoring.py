"""A model repository restored from its mirror: branches, tags, evidence, journals. Nothing in the bucket is trusted.

Objects are checked by digest, records by their grammar, Git's objects by Git. Where the records tell two histories of
one ref, a person decides; the other one is kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modelyard.audit.mirror.bucket import Bucket
from modelyard.audit.mirror.records import EVIDENCE, MAXIMUM_BYTES, Chain, Record, chain, is_record, read_record, short
from modelyard.audit.mirror.writing import BUNDLES, RECORDS
from modelyard.checkout.checkout import Checkout
from modelyard.checkout.guard import restore_tags
from modelyard.errors import ModelyardError, Refused, UsageError
from modelyard.git import Git, GitError

_TAGS = "refs/tags/"
_KEPT = "refs/modelyard/mirror/"


@dataclass(frozen=True)
class Restored:
    """What was restored."""

    record: str
    """The newest record of it."""
    records: int
    refs: Mapping[str, str]
    tags: tuple[str, ...]
    kept: tuple[str, ...]
    """Refs of other histories, which a forced push had replaced."""
    left_out: tuple[str, ...]
    """Records that were not used."""


def restore(bucket: Bucket, folder: Path, until: str, anchor: bytes | None, say: Callable[[str], None]) -> Restored:
    """Writes a repository into a new folder; ``until`` names the newest record to use ('' for all).

    UsageError unless the folder is new or empty. Refused for a chain with a gap, a damaged bundle, two histories
    without ``until``, or other heads and tags than those of an anchor. Then nothing is left of it.
    """
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise UsageError(f"{folder} is not an empty folder.", "Name a folder that does not exist yet.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = TemporaryDirectory(prefix=".modelyard-", dir=folder.parent)
    except OSError as error:
        raise ModelyardError(f"{folder.parent} cannot be written: {error.strerror}.", "Name another folder.") from error
    with scratch as name:
        found = _read_chain(bucket, Path(name), until)
        say(f"{len(found.records)} records of {bucket.url}, the newest {short(found.records[-1][0])}")
        place = Path(name) / "repository"
        place.mkdir()
        git = Git(place, {"GIT_TEMPLATE_DIR": ""})
        git.start("sha256" if any(len(sha) > 40 for sha in found.records[-1][1].refs.values()) else "sha1")
        refs, kept = _take_all(git, bucket, found, Path(name) / "bundle", bool(until))
        tags = _write_refs(place, found.records[-1][1].default, refs)
        if anchor is not None:
            _compare(git, found.records[-1][1].default, refs, anchor)
        if folder.exists():
            folder.rmdir()
        place.rename(folder)
    return Restored(found.records[-1][0], len(found.records), refs, tags, kept, found.left_out)


def _read_chain(bucket: Bucket, scratch: Path, until: str) -> Chain:
    records: dict[str, Record] = {}
    unreadable: dict[str, ModelyardError] = {}
    file = scratch / "record"
    for name, versions in bucket.names(RECORDS, ".json").items():
        if not is_record(name):
            continue  # no writer of ours wrote it
        try:
            bucket.read(f"{RECORDS}/{name}.json", versions, name[9:], MAXIMUM_BYTES, file)
            records[name] = read_record(name, file.read_bytes())
        except Refused as error:
            unreadable[name] = error
    if unreadable and not until and records:
        raise next(iter(unreadable.values()))
    found = chain(records, _whole_name(records, until))
    defaults = {record.default for _, record in found.records}
    if len(defaults) > 1 and not until:
        raise Refused(
            f"The mirror names several default branches: {', '.join(sorted(defaults))}.",
            f"If the branch was renamed: --until {short(found.records[-1][0])}, or the newest record that you trust.",
        )
    return found


def _whole_name(records: Mapping[str, Record], until: str) -> str:
    """The name that begins with ``until``, if it is the only one."""
    fitting = [name for name in records if until and name.startswith(until)]
    return fitting[0] if len(fitting) == 1 else until


def _take_all(
    git: Git, bucket: Bucket, found: Chain, file: Path, decided: bool
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Fetches every bundle of a chain; the newest object of each ref, and the refs of replaced histories."""
    versions = bucket.names(BUNDLES, ".bundle")
    refs: dict[str, str] = {}
    origin: dict[str, str] = {}
    kept: list[str] = []
    for name, record in found.records:
        bucket.read(
            f"{BUNDLES}/{record.bundle}.bundle", versions.get(record.bundle, ()), record.bundle, record.size, file
        )
        new = {ref: f"{_KEPT}{short(name)}/{ref}" for ref, sha in record.refs.items() if refs.get(ref) != sha}
        if not new:
            continue  # the same again, in a bundle with everything
        try:
            git.take_bundle(file, new)
        except GitError as error:
            raise Refused(
                f"The bundle of the record {short(name)} cannot be read: {error.problem}",
                "Find out who changed the bucket. Restore up to an earlier record with --until RECORD.",
            ) from error
        for ref, here in new.items():
            sha = record.refs[ref]
            if git.ref(here) != sha:
                raise Refused(
                    f"The bundle of the record {short(name)} has another {ref} than the record.",
                    "Find out who changed the bucket. Restore up to an earlier record with --until RECORD.",
                )
            before = refs.get(ref)
            old = f"{_KEPT}{origin[ref]}/{ref}" if before else ""
            if before and git.is_ancestor(sha, before):
                git.restore_ref(here, sha, "")
                continue
            if before and not git.is_ancestor(before, sha):
                if not decided:
                    raise _two_histories(ref, origin[ref], short(name))
                kept.append(old)
            elif before:
                git.restore_ref(old, before, "")
            refs[ref], origin[ref] = sha, short(name)
    for ref in refs:
        git.set_ref(ref, refs[ref])
        git.restore_ref(f"{_KEPT}{origin[ref]}/{ref}", refs[ref], "")
    return refs, tuple(kept)


def _write_refs(place: Path, default: str, refs: Mapping[str, str]) -> tuple[str, ...]:
    """Checks the default branch out, and writes the tags from their filed copies; the names of all tags."""
    if default not in refs or EVIDENCE not in refs:
        raise Refused("The mirror has no default branch or no evidence.", "Restore up to a later record.")
    checkout = Checkout(place)
    checkout.git.check_out(default)
    restore_tags(checkout)
    return tuple(sorted(ref.removeprefix(_TAGS) for ref in checkout.git.refs(_TAGS)))


def _compare(git: Git, default: str, refs: Mapping[str, str], anchor: bytes) -> None:
    """Refused unless everything that an anchor names was restored."""
    try:
        noted: dict[str, Any] = json.loads(anchor)
        heads = {default: str(noted["heads"]["main"]), EVIDENCE: str(noted["heads"]["evidence"])}
        tags = {str(tag): str(sha) for tag, sha in noted["tags"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError("The anchor cannot be read.", "Give the output of: modelyard audit anchor") from error
    lost = [ref for ref, sha in heads.items() if not git.is_ancestor(sha, refs[ref])]
    lost += [tag for tag, sha in tags.items() if git.ref(f"{_TAGS}{tag}") != sha]
    if lost:
        raise Refused(
            f"The mirror does not have what the anchor names: {', '.join(lost[:5])}.",
            "Find out who changed the bucket. Choose the newest record that you trust with --until RECORD.",
        )


def _two_histories(ref: str, one: str, other: str) -> Refused:
    return Refused(
        f"The mirror has two histories of {ref}: of the record {one}, and from the record {other} on.",
        f"A forced push, or a writer of the bucket, replaced one. Choose with --until {one} or --until {other}, or the"
        " newest record that you trust; the other history is kept beside it.",
    )
