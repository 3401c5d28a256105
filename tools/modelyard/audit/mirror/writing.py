"""Writes to the mirror: what a clone and its remote have and the mirror lacks, as one more bundle and record."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from modelyard.audit.mirror.bucket import Bucket, Retention
from modelyard.audit.mirror.notice import write_notice
from modelyard.audit.mirror.records import (
    EVIDENCE,
    MAXIMUM_BYTES,
    Record,
    name_of,
    newest,
    plan_increment,
    read_record,
    short,
    write_record,
)
from modelyard.checkout.checkout import Checkout
from modelyard.deployment.record import JOURNALS, fetch_rollouts
from modelyard.errors import ModelyardError, Refused
from modelyard.files import sha256_of
from modelyard.manifests.configuration import MirrorSettings
from modelyard.registry.faults import Fault
from modelyard.secrets.permission import open_secrets, reviewed

RECORDS, BUNDLES = "records", "bundles"
_AWS = "https://s3.amazonaws.com"


def keep_mirror(checkout: Checkout, say: Callable[[str], None]) -> None:
    """Adds to the mirror what it lacks. A mirror that cannot be written to is named, and no error: the next command
    that files something catches up.
    """
    settings = _settings(checkout)
    if settings is None:
        return
    try:
        name = add_to_mirror(checkout, settings, _open(checkout, settings), int(time.time()))
    except ModelyardError as error:
        say(f"The mirror is behind: {error.problem}")
        say(f"  {error.remedy} The next command that files something catches up.")
        write_notice(checkout.git, error.problem)
    else:
        write_notice(checkout.git, "")
        if name:
            say(f"Mirrored: {short(name)}")


def add_to_mirror(checkout: Checkout, settings: MirrorSettings, bucket: Bucket, now: int) -> str | None:
    """Adds a bundle and its record (``now`` in seconds since 1970); the record's name, or None if nothing is new.

    ModelyardError when the clone is shallow, or remote or mirror cannot be used.
    """
    git = checkout.git
    git.require_whole("history that the mirror may need")
    default, there = checkout.repository.config.default_branch, _current_refs(checkout)
    with TemporaryDirectory(prefix="modelyard-") as scratch:
        folder = Path(scratch)
        heads = _heads(bucket, folder)
        refs = {ref: _newer(checkout, sha, ref, heads) for ref, sha in there.items()}
        plan = plan_increment(heads, refs, now, settings.retention_days)
        if plan is None:
            return None
        retention = Retention(settings.mode, now + 86_400 * settings.retention_days)
        bundle, document = folder / "bundle", folder / "record"
        have = git.commits_present(plan.have)
        git.write_increment(bundle, refs, have)
        record = Record(
            sequence=plan.sequence, before=plan.before, default=f"refs/heads/{default}", refs=refs,
            bundle=sha256_of(bundle), size=bundle.stat().st_size, everything=not have, written=now,
            whole=plan.whole if have else now,
        )  # fmt: skip
        content = write_record(record)
        name = name_of(content, record.sequence)
        read_record(name, content)  # what could not be restored is not written
        document.write_bytes(content)
        # The bundle first: after a kill in between, nothing names it.
        bucket.add(f"{BUNDLES}/{record.bundle}.bundle", bundle, retention)
        bucket.add(f"{RECORDS}/{name}.json", document, retention)
        return name


def mirror_faults(checkout: Checkout) -> tuple[Fault, ...]:
    """What the mirror lacks of this clone, as warnings; none without a mirror."""
    settings = _settings(checkout)
    if settings is None:
        return ()
    try:
        with TemporaryDirectory(prefix="modelyard-") as scratch:
            heads = _heads(_open(checkout, settings), Path(scratch))
        refs = _refs_here(checkout)
        known = {(ref, sha) for head in heads.values() for ref, sha in head.refs.items()}
        lacking = sorted(ref for ref, sha in refs.items() if (ref, _newer(checkout, sha, ref, heads)) not in known)
    except ModelyardError as error:
        return (Fault("warning", settings.url, error.problem.rstrip("."), error.remedy),)
    shown = ", ".join(lacking[:3])
    return (Fault("warning", settings.url, f"is behind: it lacks {shown}", "Run: modelyard deploy"),) if lacking else ()


def _settings(checkout: Checkout) -> MirrorSettings | None:
    """The mirror of modelyard.yaml on the default branch; None without one."""
    try:
        return reviewed(checkout.git).mirror
    except ModelyardError:  # a clone without a default branch, which has nothing to mirror
        return None


def _open(checkout: Checkout, settings: MirrorSettings) -> Bucket:
    secrets = open_secrets(checkout.git, os.environ)
    key = secrets.read_for(settings.key, settings.endpoint or _AWS) if settings.key else ""
    return Bucket(settings.url, settings.endpoint, settings.region, key)


def _heads(bucket: Bucket, scratch: Path) -> dict[str, Record]:
    """The newest records. One that is not valid is left out: what is written after it needs nothing of it."""
    versions = bucket.names(RECORDS, ".json")
    names, file = set(versions), scratch / "head"
    found: dict[str, Record] = {}
    while names and not found:
        for name in newest(names):
            with suppress(Refused):
                bucket.read(f"{RECORDS}/{name}.json", versions[name], name[9:], MAXIMUM_BYTES, file)
                found[name] = read_record(name, file.read_bytes())
        names -= set(newest(names)) or names
    return found


def _current_refs(checkout: Checkout) -> dict[str, str]:
    """Ref → object id of what is mirrored, after the remote's newest state was fetched."""
    git, branch = checkout.git, checkout.repository.config.default_branch
    if remote := git.remote():
        git.fetch(remote, f"+refs/heads/{branch}:{checkout.default_ref}")
        checkout.evidence.refresh()
        fetch_rollouts(git)
    return _refs_here(checkout)


def _refs_here(checkout: Checkout) -> dict[str, str]:
    git, branch = checkout.git, checkout.repository.config.default_branch
    main = git.ref(checkout.default_ref)
    if main is None:
        raise ModelyardError(f"This clone has no branch {branch}, so nothing was mirrored.", "Fetch it.")
    refs = {f"refs/heads/{branch}": main}
    if evidence := checkout.evidence.newest():
        refs[EVIDENCE] = evidence
    refs |= {ref: commit for ref, (commit, _) in git.newest_entries(JOURNALS).items()}
    # All other tags are restored from their filed copies.
    if beside := git.tags_beside(main):
        filed = checkout.filed_tags()
        refs |= {ref: sha for ref, sha in beside.items() if filed.get(ref.removeprefix("refs/tags/")) == sha}
    return refs


def _newer(checkout: Checkout, sha: str, ref: str, heads: Mapping[str, Record]) -> str:
    """The mirror's object where this clone's is one of its ancestors, because a clone may be behind."""
    for head in heads.values():
        there = head.refs.get(ref)
        if there and there != sha and checkout.git.commits_present([there]) and checkout.git.is_ancestor(sha, there):
            return there
    return sha
