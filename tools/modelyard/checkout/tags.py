"""New registry tags: the next version number, the next counter, and a tagger time that keeps GTO's order."""

from __future__ import annotations

import time
from functools import partial

from modelyard.checkout.checkout import ModelView
from modelyard.git import Git
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.manifests.names import Version
from modelyard.manifests.pipeline import read_lock
from modelyard.manifests.repository import model_file
from modelyard.registry.numbering import Changes, Numbering, Override, contract_changes, next_version, parse_override
from modelyard.registry.tags import parse_tag, version_tag


def number_at(view: ModelView, model: Model, head: str) -> Numbering:
    """The version number that registering ``head`` would give, with reasons. ``model`` is the manifest at ``head``."""
    git, highest, latest = view.checkout.git, _highest(view), view.history.latest
    if latest is None:
        return next_version(None, Changes(), highest, _override(git, model.name, None, head))
    before = git.file_at(latest.commit, model_file(model.name))
    contract: tuple[str, ...] = ()
    if before is not None:
        old = parse(Model, before, f"{version_tag(model.name, latest.version)}:{model_file(model.name)}")
        contract = contract_changes(old.contract, model.contract)
    folder = f"models/{model.name}/"
    generated = {f"{folder}{name}" for name in ("dvc.lock", "metrics.json", model.files.profile)}
    changed = git.differing_files(latest.commit, head, folder)
    code = tuple(path for path in changed if path not in generated)
    changes = Changes(contract, code, _changed_data(git, model.name, latest.commit, head))
    return next_version(latest.version, changes, highest, _override(git, model.name, latest.commit, head))


def write_tag(view: ModelView, name: str, commit: str, message: str) -> None:
    """Creates and pushes an annotated tag, later than all other tags of the model; signed if required.

    RefRejected when a concurrent run took the name.
    """
    git, signing = view.checkout.git, view.checkout.repository.config.signing
    # GTO orders by tagger time in whole seconds. It would order two tags of one second by their names.
    at = max(int(time.time()), view.history.last_time + 1)
    git.create_tag(name, commit, message, at, sign=bool(signing and signing.allowed_signers))
    if remote := git.remote():
        git.push_tag(remote, name)
    view.checkout.reread(view.name)


def next_counter(view: ModelView) -> int:
    """The counter of a model's next stage tag; counters of deleted tags are not used again."""
    parsed = [parse_tag(name) for name in view.checkout.evidence.tags(view.name)]
    return max([view.history.last_counter, *(found.counter for found in parsed if found and found.counter)]) + 1


def _highest(view: ModelView) -> Version | None:
    """The highest version number ever given, including deleted tags, whose copies are on the evidence branch."""
    given = [known.version for known in view.history.all_versions]
    for name in view.checkout.evidence.tags(view.name):
        parsed = parse_tag(name)
        if parsed and parsed.version:
            given.append(parsed.version)
    return max(given, default=None)


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
