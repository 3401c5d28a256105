"""Checks of the registry: tags against their filed copies, evidence against its digests; restoring of tags."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Mapping, Sequence

from msgspec import Struct

from modelyard.checkout.checkout import Checkout
from modelyard.checkout.evidence_branch import SUPERSEDED
from modelyard.errors import ModelyardError
from modelyard.evidence.statement import Kind, read_statement
from modelyard.git import Git, Push, object_id
from modelyard.registry.faults import Fault, find_faults
from modelyard.registry.history import read_registry
from modelyard.registry.tags import StageRecord, VersionRecord

_RESTORE_FILE = "Restore the file from the history of modelyard/evidence."


class _Change(Struct, frozen=True):
    by: tuple[str, ...] = ()


class _Approvals(Struct, frozen=True):
    changes: tuple[_Change, ...] = ()


def check_registry(checkout: Checkout) -> tuple[Fault, ...]:
    """Every fault of tags and evidence that this clone can detect, errors first."""
    git, evidence = checkout.git, checkout.evidence
    git.require_whole("the history that tags and evidence are compared with")
    evidence.refresh()
    tags = git.tags()
    objects = {tag.name: tag.object for tag in tags}
    copies = checkout.filed_tags()
    remote = git.remote()
    there = _remote_tags(git, remote) if remote else None
    found = [*find_faults(tags, objects, copies, there)]
    if evidence.unpushed():
        found.append(
            Fault("warning", "modelyard/evidence", "has files that the remote lacks", "Grant permission to push.")
        )
    for path, content in evidence.filed("incidents/").items():
        incident = json.loads(content)
        found.append(
            Fault(
                "warning",
                path,
                incident.get("problem")
                or f"the evidence branch was rewritten, and {incident['files_put_back']} files were restored",
                incident.get("remedy") or "Protect the branch modelyard/evidence against forced pushes.",
            )
        )
    histories = read_registry(tags).models.values()
    registered = [
        (history.model, version.version, version.record)
        for history in histories
        for version in history.all_versions
        if version.record is not None
    ]
    documents = evidence.all_documents([(model, record.artifact) for model, _, record in registered])
    for model, number, record in registered:
        found += _evidence_faults(model, number, record, documents[model, record.artifact])
    recorded: list[tuple[str, str, VersionRecord | StageRecord]] = [
        (model, f"{model}@{number}", record) for model, number, record in registered
    ]
    recorded += [(one.model, given.tag, given.record) for one in histories for given in one.assignments if given.record]
    listed = evidence.listed()
    found += _filed_faults(git, listed, recorded)
    if newest := evidence.newest():
        compared = {f"{model}/{path}" for model, _, record in recorded for path in record.filed}
        found += _lost_faults(git, newest, listed, compared)
    return tuple(sorted(found, key=lambda fault: (fault.level, fault.tag)))


def restore_tags(checkout: Checkout) -> list[str]:
    """Restores deleted and moved tags from their filed copies, here and on the remote; returns their names."""
    git, evidence = checkout.git, checkout.evidence
    evidence.refresh()
    objects = {tag.name: tag.object for tag in git.tags()}
    remote = git.remote()
    there = _remote_tags(git, remote) if remote else {}
    done = []
    kind = git.object_format()
    for name, content in evidence.all_tags().items():
        sha = object_id("tag", content, kind)
        if objects.get(name) == sha and (remote is None or there.get(name) == sha):
            continue
        git.write_tag_object(name, content)
        if remote is not None and there.get(name) != sha:
            ref = f"refs/tags/{name}"
            git.push(remote, Push(ref, sha, there.get(name, ""), lease=True))
        done.append(name)
    return done


def _filed_faults(
    git: Git, listed: Mapping[str, str], recorded: Sequence[tuple[str, str, VersionRecord | StageRecord]]
) -> list[Fault]:
    """Files that are not those that were filed with a tag, and approvals of other people than the tag names."""
    paths = {f"{model}/{path}" for model, _, record in recorded for path in record.filed}
    paths |= {f"{model}/approvals/{tag}.json" for model, tag, _ in recorded}
    contents = git.blobs(listed[path] for path in paths if path in listed)
    found = []
    for model, tag, record in recorded:
        for path, digest in record.filed.items():
            blob = listed.get(f"{model}/{path}")
            if blob is None:
                found.append(Fault("error", tag, f"{path}, which was filed with it, is missing", _RESTORE_FILE))
            elif hashlib.sha256(contents[blob]).hexdigest() != digest:
                found.append(Fault("error", tag, f"{path} is not the file that was filed with it", _RESTORE_FILE))
        blob = listed.get(f"{model}/approvals/{tag}.json")
        if blob is not None and not _names(contents[blob], record.approved_by):
            found.append(Fault("error", tag, "its filed approvals are not of those whom the tag names", _RESTORE_FILE))
    return found


def _lost_faults(git: Git, newest: str, listed: Mapping[str, str], compared: Container[str]) -> list[Fault]:
    """Files that a commit of the branch replaced or removed, where nothing kept what they were.

    Each is named with the first such commit. Files that are compared with digests in tags are left out.
    """
    kept: dict[str, set[str]] = {}
    for path, blob in listed.items():
        kept.setdefault(path.rpartition("/")[0], set()).add(blob)
    found = {}
    for commit, path, blob in git.overwritten(newest):
        if path in compared or path.startswith("pulls/") or "/pending/" in path:
            continue  # reports of closed pull requests, and tags that were about to be written
        if blob != listed.get(path) and blob not in kept.get(f"{path.rpartition('/')[0]}/{SUPERSEDED}", ()):
            what = f"the commit {commit[:12]} of modelyard/evidence replaced or removed what was filed there"
            found[path] = Fault("error", path, what, _RESTORE_FILE)
    return list(found.values())


def _names(approvals: bytes, people: Sequence[str]) -> bool:
    """Whether filed approvals are those of these people."""
    try:
        changes = read_statement(approvals, "approval", _Approvals).predicate.changes
    except ModelyardError:
        return False
    return {name for change in changes for name in map(_person, change.by)} == set(map(_person, people))


def _person(name: str) -> str:
    return name.removeprefix("@").strip().lower()


def _remote_tags(git: Git, remote: str) -> dict[str, str]:
    refs = git.remote_refs(remote, "refs/tags/*")
    return {ref.removeprefix("refs/tags/"): sha for ref, sha in refs.items()}


def _evidence_faults(model: str, version: str, record: VersionRecord, documents: Mapping[str, bytes]) -> list[Fault]:
    found = []
    kinds: tuple[Kind, ...] = ("training", "evaluation", "drift", "artifact", "verdict")
    for kind in kinds:
        content = documents.get(kind)
        tag = f"{model}@{version}"
        if content is None:
            if kind in record.evidence:
                found.append(Fault("error", tag, f"the {kind} evidence is missing", f"Run: modelyard register {model}"))
            continue
        try:
            statement = read_statement(content, kind, dict)
        except ModelyardError as error:
            found.append(Fault("error", tag, error.problem.rstrip("."), _RESTORE_FILE))
            continue
        if record.evidence.get(kind, statement.digest) != statement.digest:
            found.append(Fault("error", tag, f"the {kind} evidence is not the one that the tag names", _RESTORE_FILE))
        if statement.artifact != record.artifact:
            found.append(
                Fault(
                    "error",
                    tag,
                    f"the {kind} evidence is about another artifact",
                    _RESTORE_FILE,
                )
            )
    return found
