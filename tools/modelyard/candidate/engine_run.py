"""A candidate trained on a pipeline engine: its commit is submitted, and the results come back through DVC."""

from __future__ import annotations

import time
from collections.abc import Callable

from modelyard.candidate.stages import run_stages
from modelyard.checkout.checkout import ModelView
from modelyard.errors import UsageError, near_match
from modelyard.git import Git
from modelyard.pipelines.compiled import compiled_pipeline
from modelyard.pipelines.exported import export, pipeline_of
from modelyard.pipelines.runs import RunRequest, follow, open_service
from modelyard.secrets.permission import open_secrets

_SECONDS = 5


def train_on(view: ModelView, engine: str, say: Callable[[str], None], *, cancel: bool) -> None:
    """Runs the stages of HEAD on an engine of modelyard.yaml, then restores what they made and writes ``dvc.lock``.

    UsageError for an engine that is not declared, and for a commit that the engine cannot clone. ModelyardError when
    the run fails.
    """
    git, repository = view.checkout.git, view.checkout.repository
    declared = {settings.name: settings for settings in repository.config.engines}
    if engine not in declared:
        raise UsageError(
            f"modelyard.yaml has no engine {engine!r}.",
            near_match(engine, declared, "Add engines, with its url."),
        )
    if not view.checkout.dvc.has_remote():
        raise UsageError("There is no DVC remote, by which the results come back.", "Add one: dvc remote add --default")
    settings = declared[engine]
    commit = _pushed_commit(git)
    url = settings.repository or git.remote_url(git.remote() or "origin")
    service = open_service(settings, open_secrets(git))
    follow(
        service,
        RunRequest(view.name, commit, url),
        lambda: compiled_pipeline(export(repository, view.name, "kubeflow")),
        say,
        lambda: time.sleep(_SECONDS),
        cancel=cancel,
    )
    say(f"The results of {view.name} come from the DVC remote …")
    run_stages(view, [stage.name for stage in pipeline_of(repository, view.name).stages], push=False)


def _pushed_commit(git: Git) -> str:
    """HEAD, which must be all that there is, and on a branch of the remote."""
    if changed := git.uncommitted():
        raise UsageError(
            f"{changed[0]} is not committed, and an engine only sees commits.", "Commit your changes, and push them."
        )
    commit, remote = git.commit_of("HEAD"), git.remote()
    heads = [head for name, head in git.branches().items() if remote and name.startswith(f"{remote}/")]
    if not any(git.is_ancestor(commit, head) for head in heads):
        raise UsageError(f"The commit {commit[:10]} is on no branch of the remote.", "Push it: git push")
    return commit
