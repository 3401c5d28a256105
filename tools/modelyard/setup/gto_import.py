"""The tags of a repository that used GTO, adopted: each is filed with evidence, and none is made, moved or deleted.

A tag of GTO says that somebody named a commit. So an adopted version is history: it is no champion and is never
deployed. An adopted stage tag is told, and nothing follows from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from modelyard.checkout.checkout import Checkout
from modelyard.checkout.evidence_store import TAKEN, copy_of, import_of
from modelyard.checkout.tags import settle_tags
from modelyard.documents import encode, one_line
from modelyard.git import Git, TagRef
from modelyard.manifests.names import is_name
from modelyard.registry.history import ModelHistory
from modelyard.registry.tags import EVERY_MODEL, Action, ParsedTag, VersionRecord, has_record, model_patterns, parse_tag
from modelyard.setup.gto_artifact import NOTHING_KNOWN, CommittedArtifact, CommittedArtifacts

SOURCE = "GTO"
_LONGEST_MESSAGE, _LONGEST_NAME = 20_000, 200
_BATCH = 200
"""Tags that are filed at once."""
_UNKNOWN = (
    "the sha256 of the artifact", "the held-out rows of the metrics", "the intervals of the metrics",
    "who approved the version", "whether the version can be reproduced",
)  # fmt: skip


@dataclass(frozen=True)
class AdoptedTag:
    """The evidence of one adopted tag: what the repository says at its commit, and what it cannot say."""

    tag: str
    object: str
    """The id of the tag object."""
    commit: str
    merged: bool
    """Whether the commit is in the history of the default branch."""
    artifact: CommittedArtifact
    record: VersionRecord
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class Adopted:
    """The result: the tags that were filed, and those that were left out and why."""

    versions: tuple[str, ...]
    """New tags of versions."""
    others: tuple[str, ...]
    """New tags of stages, withdrawals and deprecations."""
    known: int
    """Tags that an earlier import filed."""
    unmerged: tuple[str, ...]
    """New tags whose commit is not in the history of the default branch."""
    left_out: tuple[str, ...]


def import_gto(checkout: Checkout, only: frozenset[str], say: Callable[[str], None]) -> Adopted:
    """Adopts the tags of all models, or of those named by ``only``. Importing again changes nothing.

    UsageError in a shallow clone; Refused when a tag here differs from the remote's.
    """
    git = checkout.git
    git.require_whole("an import")
    settle_tags(checkout)
    there = _fetched(git, remote) if (remote := git.remote()) else None
    tags = {tag.name: tag for tag in git.tags(*EVERY_MODEL)}
    filed = checkout.filed_tags()
    wanted: dict[str, list[tuple[TagRef, ParsedTag]]] = {}
    left_out: list[str] = []
    known = 0
    for tag in tags.values():
        parsed = parse_tag(tag.name)
        if parsed is None or (only and parsed.model not in only) or (tag.name in filed and has_record(tag.message)):
            continue
        if filed.get(tag.name) == tag.object:
            known += 1
        elif why := _fault(checkout, tag, parsed, filed, there):
            left_out.append(f"{one_line(tag.name)}: {why}")
        else:
            wanted.setdefault(parsed.model, []).append((tag, parsed))
    contents = git.objects(tag.object for found in wanted.values() for tag, _ in found) if wanted else {}
    main, artifacts = _main(checkout), CommittedArtifacts(git)
    done: list[tuple[TagRef, ParsedTag]] = []
    for model, found in sorted(wanted.items()):
        whole = []
        for tag, parsed in found:
            if _is_of_commit(contents[tag.object], tag):
                whole.append((tag, parsed))
            else:
                left_out.append(f"{one_line(tag.name)}: its object names another tag, or no commit")
        for part in (whole[at : at + _BATCH] for at in range(0, len(whole), _BATCH)):
            files: dict[str, bytes] = {}
            for tag, parsed in part:
                evidence = _evidence(tag, parsed, artifacts, tag.commit in main)
                files[copy_of(model, tag.name)] = contents[tag.object].partition(b"\0")[2]
                files[import_of(model, tag.name)] = encode(evidence, order="sorted", indent=1) + b"\n"
            new = frozenset(copy_of(model, tag.name) for tag, _ in part)
            checkout.evidence.append(files, f"{model}: {len(part)} tags of {SOURCE} imported", new=new)
            done += part
            say(f"  {len(done)} tags …")
        checkout.reread(model)
    return Adopted(
        versions=tuple(tag.name for tag, parsed in done if parsed.action is Action.REGISTER),
        others=tuple(tag.name for tag, parsed in done if parsed.action is not Action.REGISTER),
        known=known,
        unmerged=tuple(tag.name for tag, _ in done if tag.commit not in main),
        left_out=tuple(left_out),
    )


def _fetched(git: Git, remote: str) -> dict[str, str]:
    """The tags of the remote (ref → object id). Those of models that may be here are fetched."""
    there = git.remote_refs(remote, "refs/tags/*")
    parsed = [parse_tag(ref.removeprefix("refs/tags/")) for ref in there]
    models = sorted({found.model for found in parsed if found and is_name(found.model)})
    if models:
        git.fetch_tags(remote, *(pattern for model in models for pattern in model_patterns(model)))
    return there


def _fault(
    checkout: Checkout, tag: TagRef, parsed: ParsedTag, filed: Mapping[str, str], there: Mapping[str, str] | None
) -> str:
    """Why a tag is not adopted; '' when it is."""
    if not is_name(parsed.model) or parsed.model in TAKEN or len(tag.name) > _LONGEST_NAME:
        return "its model's name is not valid here"
    if not tag.annotated:
        return "it is lightweight, so GTO ignores it too"
    if tag.name in filed:
        return "it was moved after it was filed"
    if has_record(tag.message):
        return "its message has a line of JSON, as modelyard's own tags have, and no copy of it is filed"
    if len(tag.message) > _LONGEST_MESSAGE:
        return f"its message is longer than {_LONGEST_MESSAGE:,} characters"
    if there is not None and there.get(f"refs/tags/{tag.name}") != tag.object:
        return "the remote does not have it; push it first"
    return _claim(checkout, checkout.registry.history(parsed.model), tag, parsed)


def _claim(checkout: Checkout, history: ModelHistory, tag: TagRef, parsed: ParsedTag) -> str:
    """What of modelyard's own record a tag would change; '' for nothing. Only modelyard changes that."""
    own = [version for version in history.all_versions if not version.imported]
    if parsed.version and any(version.version == parsed.version for version in own):
        return f"{parsed.version} was registered here"
    if parsed.action in (Action.ASSIGN, Action.UNASSIGN) and any(version.commit == tag.commit for version in own):
        return "the version at its commit was registered here; only deploy says where it serves"
    if parsed.action is Action.DEPRECATE and (own or parsed.model in checkout.repository.model_names()):
        return f"{parsed.model} is a model here; archive it with modelyard archive {parsed.model}"
    return ""


def _is_of_commit(content: bytes, tag: TagRef) -> bool:
    """Whether a tag object is about the commit that it was read with, and has the name of its ref."""
    head = content.partition(b"\0")[2].partition(b"\n\n")[0].split(b"\n")
    return head[:3] == [f"object {tag.commit}".encode(), b"type commit", f"tag {tag.name}".encode()]


def _evidence(tag: TagRef, parsed: ParsedTag, artifacts: CommittedArtifacts, merged: bool) -> AdoptedTag:
    is_version = parsed.action is Action.REGISTER
    found = artifacts.at(tag.commit, parsed.model) if is_version else NOTHING_KNOWN
    record = VersionRecord(
        artifact="",
        data=found.inputs,
        params=found.params,
        metrics=found.metrics,
        reasons=(one_line(tag.message.partition("\n")[0]) or "no message",),
        by=one_line(tag.tagger),
        imported=SOURCE,
    )
    unknown: Iterable[str] = (*_UNKNOWN, *found.unknown) if is_version else ("whether a target ever served it",)
    return AdoptedTag(
        tag=tag.name, object=tag.object, commit=tag.commit, merged=merged, artifact=found, record=record,
        unknown=tuple(unknown),
    )  # fmt: skip


def _main(checkout: Checkout) -> frozenset[str]:
    """The commits of the default branch's history."""
    git: Git = checkout.git
    branch, remote = checkout.repository.config.default_branch, git.remote()
    tip = (git.ref(f"refs/remotes/{remote}/{branch}") if remote else None) or git.ref(f"refs/heads/{branch}")
    return frozenset(git.reachable(tip or "HEAD"))
