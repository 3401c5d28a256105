"""The rules that judge a candidate, from this checkout or from the base branch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

from modelyard.errors import ModelyardError, UsageError
from modelyard.gate.rule_changes import RuleChange, evaluation_changes, file_changes, policy_changes
from modelyard.gate.waivers import Granted, within_budget
from modelyard.git import Git
from modelyard.manifests.approvals import Approvals, Waiver
from modelyard.manifests.conversion import convert, parse
from modelyard.manifests.document import Document, ManifestErrors, parse_document
from modelyard.manifests.model import Model
from modelyard.manifests.policy import Policy
from modelyard.manifests.repository import APPROVALS, ModelRepository, model_file


@dataclass(frozen=True)
class Rules:
    """A policy with its source lines, the waivers in force, and notes for the report."""

    policy: Policy
    lines: Document
    waivers: tuple[tuple[str, Waiver], ...]
    model: Model
    """model.yaml of the revision that the rules are of; of the proposal, where that has none."""
    notes: tuple[str, ...] = ()


def rules_here(repository: ModelRepository, git: Git, model: Model, today: date, policy: str | None = None) -> Rules:
    """The rules of the working tree for a model."""
    found, lines = repository.policy(policy or model.policy)
    waivers, notes = _waivers_in_force(git, "HEAD", tuple(repository.waivers()), model.name, found, today)
    return Rules(policy=found, lines=lines, waivers=waivers, notes=notes, model=model)


def rules_of_base(git: Git, base: str, head: str, model: str, today: date) -> Rules:
    """The rules of the base branch for a proposal, with a note on every rule that the proposal changes.

    A new model or policy has no rules on the base branch. Then its own rules apply, with a note.
    """
    proposed = _model_at(git, head, model)
    if proposed is None:
        raise ModelyardError(f"{model_file(model)} does not exist at {head[:12]}.", "Name a model of this change.")
    known = _model_at(git, base, model)
    name = (known or proposed).policy
    where, at = ("base", base) if git.file_at(base, policy_file(name)) is not None else ("head", head)
    content = git.file_at(at, policy_file(name))
    if content is None:
        raise ModelyardError(f"{policy_file(name)} exists on neither branch.", "Add the policy that model.yaml names.")
    lines = parse_document(content, policy_file(name))
    policy = convert(Policy, lines)
    notes = []
    if where == "head":
        notes.append(f"The policy {name} is new in this change. Review it together with the model.")
    if known is not None:
        notes += _changed(git, base, head, policy, known, proposed)
    waivers, spent = _waivers_in_force(git, base, waivers_at(git, base), model, policy, today)
    return Rules(policy=policy, lines=lines, waivers=waivers, notes=(*notes, *spent), model=known or proposed)


def approvals_at(git: Git, revision: str) -> Approvals | None:
    """``policies/approvals.yaml`` of a revision; None when the file is absent."""
    content = git.file_at(revision, APPROVALS)
    return parse(Approvals, content, APPROVALS) if content is not None else None


def granted_waivers(git: Git, revision: str) -> list[Granted]:
    """Every waiver that the first-parent history of a revision added; UsageError in a shallow clone."""
    if git.is_shallow():
        raise UsageError(
            "This clone is shallow, so the waivers of this quarter cannot be counted.", "Run: git fetch --unshallow"
        )
    found = []
    for commit, at, path in git.added("waivers", revision):
        content = git.file_at(commit, path)
        try:
            model = parse(Waiver, content or b"", path).model
        except ManifestErrors:
            continue  # an invalid waiver was never in force
        found.append(Granted(path, model, datetime.fromtimestamp(at, UTC).date()))
    return found


def _waivers_in_force(
    git: Git, revision: str, waivers: tuple[tuple[str, Waiver], ...], model: str, policy: Policy, today: date
) -> tuple[tuple[tuple[str, Waiver], ...], tuple[str, ...]]:
    of_model = any(waiver.model == model for _, waiver in waivers)
    granted = granted_waivers(git, revision) if of_model and policy.maximum_waivers is not None else []
    return within_budget(waivers, granted, model, policy.maximum_waivers, today)


def _changed(git: Git, base: str, head: str, policy: Policy, known: Model, proposed: Model) -> list[str]:
    content = git.file_at(head, policy_file(proposed.policy))
    try:
        after = parse(Policy, content, policy_file(proposed.policy)) if content is not None else None
    except ManifestErrors:
        after = None
    changes: list[RuleChange] = []
    if after is None:
        changes.append(RuleChange(f"the policy {proposed.policy} is removed or unreadable", True))
    else:
        changes += policy_changes(policy, after)
    changes += evaluation_changes(known, proposed)
    scorer = [*known.flavor.files, *filter(None, [known.flavor.requirements])]
    changes += file_changes(known.name, scorer, git.changed_files(base, head))
    looser = [change.sentence for change in changes if change.loosens]
    other = [change.sentence for change in changes if not change.loosens]
    notes = []
    if looser:
        notes.append(
            "This pull request LOOSENS its own rules. The rules of the base branch judge it."
            f" Looser: {'; '.join(looser)}."
        )
    if other:
        notes.append(f"It changes rules that apply only after the merge: {'; '.join(other)}.")
    return notes


def _model_at(git: Git, revision: str, name: str) -> Model | None:
    content = git.file_at(revision, model_file(name))
    return parse(Model, content, model_file(name)) if content is not None else None


def waivers_at(git: Git, revision: str) -> tuple[tuple[str, Waiver], ...]:
    """Every waiver of a revision, as (path, waiver), sorted by path."""
    files = {path: sha for path, sha in git.files_at(revision, "waivers/").items() if path.endswith((".yaml", ".yml"))}
    blobs = git.blobs(files.values())
    return tuple((path, parse(Waiver, blobs[sha], path)) for path, sha in sorted(files.items()))


def policy_file(name: str) -> str:
    """The path of a policy, from the repository's root."""
    return f"policies/{name}.yaml"
