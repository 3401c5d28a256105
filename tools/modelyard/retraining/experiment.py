"""The proposal of a DVC experiment: its files on a branch of the default branch, its results on the DVC remote."""

from __future__ import annotations

from collections.abc import Callable

from modelyard.checkout.checkout import ModelView
from modelyard.errors import UsageError, near_match
from modelyard.forges.interface import PullForge
from modelyard.git import Git
from modelyard.report.markdown.safe import code, text
from modelyard.retraining.proposal import Refreshed
from modelyard.review.pull_requests import Proposed, open_proposed, push_proposed, remote_head

_REFS = "refs/exps"
_OWN = ("exec", "celery", "stash", "apply")
"""Folders of refs that DVC keeps for itself."""


def propose_experiment(view: ModelView, forge: PullForge | None, name: str, say: Callable[[str], None]) -> Refreshed:
    """Opens or refreshes the pull request of an experiment of the model; in plain git, pushes its branch.

    Nothing is trained here: the pull request is measured as any other. UsageError for an experiment that is not known,
    changes nothing of the model, or changes a file that the checkout's commit changed too.
    """
    git, config = view.checkout.git, view.checkout.repository.config
    commit = _experiment(git, name)
    base = git.commit_of("HEAD")
    start = git.merge_base(base, commit) or ""
    files = git.differing_files(start, commit) if start else []
    if not [path for path in files if path.startswith(f"models/{view.name}/")]:
        raise UsageError(
            f"The experiment {name} changes nothing of models/{view.name}/.", "Name the model that it is about."
        )
    if both := sorted(set(files) & set(git.differing_files(start, base))):
        more = f", and {len(both) - 1} more" if both[1:] else ""
        raise UsageError(
            f"{both[0]} changed since the experiment {name} was made{more}.",
            f"Run it on the present commit: dvc exp apply {name}, commit, or dvc exp run.",
        )
    changed = {path: git.file_at(commit, path) for path in files}
    if view.checkout.dvc.has_remote():
        say(f"The results of {name} go to the DVC remote …")
        with view.checkout.at(commit) as there:
            there.dvc.push(f"models/{view.name}/dvc.yaml")
    title = f"Propose {view.name} from the experiment {name}"
    proposed = Proposed(
        f"modelyard/experiment/{view.name}/{name}", title, _body(view.name, name, start, files), changed
    )
    before = remote_head(git, proposed.branch)
    if forge is None:
        head = push_proposed(git, base, proposed)
        done = "unchanged" if head == before else "pushed"
        return Refreshed(done, f"It is the experiment {name}.", None, head, proposed.branch)
    pull, new, head = open_proposed(git, forge, config.default_branch, base, proposed)
    done = "opened" if new else "unchanged" if head == before else "refreshed"
    return Refreshed(done, f"It is the experiment {name}.", pull.number, head)


def _experiment(git: Git, name: str) -> str:
    """The commit of an experiment; UsageError for none, or several of that name on different commits."""
    known: dict[str, list[str]] = {}
    for ref in git.refs(_REFS):
        kind, _, rest = ref.removeprefix(f"{_REFS}/").partition("/")
        if kind not in _OWN:
            known.setdefault(rest.rpartition("/")[2], []).append(ref)
    found = known.get(name, [])
    if not found:
        raise UsageError(
            f"This clone has no experiment {name!r}.",
            near_match(name, known, "Run one: dvc exp run --name NAME, or fetch one: dvc exp pull REMOTE NAME"),
        )
    if len(found) > 1:
        raise UsageError(
            f"There are {len(found)} experiments {name!r}, made on different commits.",
            f"Rename one: dvc exp rename {name} ANOTHER",
        )
    return git.commit_of(found[0])


def _body(model: str, name: str, start: str, files: list[str]) -> str:
    lines = [
        f"## {text(model)} from the experiment {text(name)}", "",
        f"It was made with DVC on {code(start[:10])} and changes:", "",
        *(f"- {code(path)}" for path in files[:50]),
        *([f"- and {len(files) - 50} more"] if len(files) > 50 else []), "",
        "The report of its measurement follows in a comment.", "",
    ]  # fmt: skip
    return "\n".join(lines)
