"""New registry tags: the next version number, the next counter, and the three steps in which a tag is written.

The evidence branch is the ledger, and a tag is its image: a tag counts only if it equals its filed copy. So a run first
files the tag that it is about to write, with everything that belongs to it, then writes the tag, then files the copy.
The next run completes what a killed run began.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from modelyard.checkout.checkout import Checkout, ModelView
from modelyard.checkout.evidence_store import copy_of, intent_of
from modelyard.git import Git, GitError, Push, RefRejected
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.manifests.names import Version
from modelyard.manifests.pipeline import read_lock
from modelyard.manifests.repository import model_file
from modelyard.registry.numbering import Changes, Numbering, Override, contract_changes, next_version, parse_override
from modelyard.registry.tags import parse_tag, version_tag

NOTHING: Mapping[str, bytes] = MappingProxyType({})


def number_at(view: ModelView, model: Model, head: str, artifact: str) -> Numbering:
    """The version number that registering ``head`` would give, with reasons. ``model`` is the manifest at ``head``.

    ``artifact`` is the candidate's sha256: another file of a model that was trained elsewhere counts as other code.
    """
    git, latest = view.checkout.git, view.history.latest
    if latest is None:
        first = _override(git, model.name, None, head)
        return _untaken(view, lambda highest: next_version(None, Changes(), highest, first))
    before = git.file_at(latest.commit, model_file(model.name))
    contract: tuple[str, ...] = ()
    if before is not None:
        old = parse(Model, before, f"{version_tag(model.name, latest.version)}:{model_file(model.name)}")
        contract = contract_changes(old.contract, model.contract)
    folder = f"models/{model.name}/"
    generated = {f"{folder}{name}" for name in ("dvc.lock", "metrics.json", model.files.profile)}
    changed = git.differing_files(latest.commit, head, folder)
    code = tuple(path for path in changed if path not in generated)
    known = latest.record.artifact if latest.record else ""
    if model.trained == "elsewhere" and artifact != known:
        code = (*code, f"{folder}{model.files.artifact}")
    changes = Changes(contract, code, _changed_data(git, model.name, latest.commit, head))
    override = _override(git, model.name, latest.commit, head)
    return _untaken(view, lambda highest: next_version(latest.version, changes, highest, override))


def write_tag(view: ModelView, name: str, commit: str, message: str, files: Mapping[str, bytes] = NOTHING) -> None:
    """Creates and pushes an annotated tag, later than all other tags of the model; signed if required.

    ``files`` are filed together with it (path on the evidence branch → content). RefRejected when a concurrent run
    took the name.
    """
    git, evidence, signing = view.checkout.git, view.checkout.evidence, view.checkout.repository.config.signing
    # GTO orders by tagger time in whole seconds. It would order two tags of one second by their names.
    at = max(int(time.time()), view.history.last_time + 1)
    content = git.tag_object(name, commit, message, at, sign=bool(signing and signing.allowed_signers))
    intent = intent_of(view.name, name)
    evidence.append({intent: content, **files}, f"{name}: begun", new=frozenset({intent, copy_of(view.name, name)}))
    try:
        _place(git, name, content)
    except GitError:
        with suppress(GitError):
            evidence.append({}, f"{name}: not written", drop=frozenset({intent}))
        view.checkout.reread(view.name)
        raise
    evidence.append({copy_of(view.name, name): content}, name, drop=frozenset({intent}))
    view.checkout.reread(view.name)


@dataclass(frozen=True)
class NewTag:
    """A tag that is to be written, and the time of its event in seconds since 1970."""

    name: str
    commit: str
    message: str
    at: int


def write_tags(view: ModelView, tags: Sequence[NewTag], files: Mapping[str, bytes]) -> None:
    """Writes many tags of one model with their filed copies at once, in three steps as ``write_tag`` does.

    Times are moved so that they increase strictly. RefRejected when a concurrent run took a name.
    """
    git, evidence, signing = view.checkout.git, view.checkout.evidence, view.checkout.repository.config.signing
    signed, last = bool(signing and signing.allowed_signers), view.history.last_time
    contents: dict[str, bytes] = {}
    for tag in tags:
        last = max(tag.at, last + 1)
        contents[tag.name] = git.tag_object(tag.name, tag.commit, tag.message, last, sign=signed)
    intents = {intent_of(view.name, name): content for name, content in contents.items()}
    taken = frozenset([*intents, *(copy_of(view.name, name) for name in contents)])
    evidence.append(intents | dict(files), f"{view.name}: {len(contents)} tags begun", new=taken)
    ids = {f"refs/tags/{name}": git.place_tag(name, content) for name, content in contents.items()}
    if remote := git.remote():
        git.push(remote, *(Push(ref, sha, "") for ref, sha in ids.items()))
    copies = {copy_of(view.name, name): content for name, content in contents.items()}
    evidence.append(copies, f"{view.name}: {len(contents)} tags", drop=frozenset(intents))
    view.checkout.reread(view.name)


def settle_tags(checkout: Checkout, *models: str) -> tuple[str, ...]:
    """Completes the tags that killed runs began to write (of these models, or of all); returns their names.

    Also pushes evidence that only this clone has.
    """
    git, evidence = checkout.git, checkout.evidence
    evidence.refresh()
    evidence.recorded = True
    done = []
    for model, begun in evidence.pending(*models).items():
        copies: dict[str, bytes] = {}
        for name, content in begun.items():
            with suppress(RefRejected):  # another tag has the name, and the run that wanted it never had it
                _place(git, name, content)
                copies[copy_of(model, name)] = content
                done.append(name)
        dropped = frozenset(intent_of(model, name) for name in begun)
        evidence.append(copies, f"{', '.join(begun)}: completed", drop=dropped)
        checkout.reread(model)
    return tuple(done)


def next_counter(view: ModelView) -> int:
    """The counter of a model's next stage tag; counters of deleted tags are not used again."""
    parsed = [parse_tag(name) for name in view.checkout.evidence.tags(view.name)]
    return max([view.history.last_counter, *(found.counter for found in parsed if found and found.counter)]) + 1


def _place(git: Git, name: str, content: bytes) -> None:
    before = git.ref(f"refs/tags/{name}")
    git.place_tag(name, content)
    if remote := git.remote():
        if before is None:
            git.push_tag(remote, name)
        else:
            git.push(remote, Push(f"refs/tags/{name}", before, ""))


def _highest(view: ModelView) -> Version | None:
    """The highest version number ever given, including deleted tags, whose copies are on the evidence branch."""
    given = [known.version for known in view.history.all_versions]
    for name in view.checkout.evidence.tags(view.name):
        parsed = parse_tag(name)
        if parsed and parsed.version:
            given.append(parsed.version)
    return max(given, default=None)


def _untaken(view: ModelView, numbered: Callable[[Version | None], Numbering]) -> Numbering:
    """The number after the highest one whose tag is free; a handmade tag only makes its own name unusable."""
    taken = {*view.history.strays, *view.history.moved}
    found = numbered(_highest(view))
    while version_tag(view.name, found.version) in taken:
        found = numbered(found.version)
    return found


def _override(git: Git, name: str, since: str | None, head: str) -> Override | None:
    for commit in git.messages(f"{since}..{head}" if since else head, "Bump: "):
        touches = any(path.startswith(f"models/{name}/") for path in git.files_of(commit))
        by = f"{commit.author}, {commit.sha[:7]}"
        if override := parse_override(f"{commit.subject}\n{commit.body}", name, by, touches=touches):
            return override
    return None


def _changed_data(git: Git, name: str, since: str, head: str) -> tuple[str, ...]:
    def inputs(revision: str) -> dict[str, str]:
        file, read = f"models/{name}/dvc.lock", partial(git.file_at, revision)
        return {entry.path: entry.md5 for entry in read_lock(read(file) or b"", file, read).data(name)}

    before, after = inputs(since), inputs(head)
    changed = tuple(path for path in after if before.get(path) != after[path])
    if changed:
        return changed
    # Before retraining, the lock is unchanged and only the pointers show new data.
    pointers = set(git.differing_files(since, head, "*.dvc"))
    return tuple(path for path in after if f"{path}.dvc" in pointers)
