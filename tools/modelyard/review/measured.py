"""Reports on merge requests that GitLab's jobs measured without a token: which are due, and each report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date

from modelyard.checkout.checkout import Checkout
from modelyard.errors import ModelyardError
from modelyard.forges.ci import CI
from modelyard.forges.interface import VERDICT, Measured, MeasuringForge, Status
from modelyard.gate.approvals import Approval
from modelyard.git import Git
from modelyard.review.approvals import approval_of_pull, approval_status
from modelyard.review.bundle import UntrustedBundle, read_untrusted
from modelyard.review.comment import Posted, Poster
from modelyard.review.jobs import archives
from modelyard.review.lock_push import push_locks
from modelyard.review.subject import subject_of_pull


def due(measured: Iterable[Measured], statuses: Mapping[str, Iterable[Status]]) -> list[Measured]:
    """The jobs whose result is not reported yet, by number. ``statuses`` are those of each job's commit.

    A report leaves a verdict of ours with the address of its job. A stranger's status is none.
    """
    found = [
        one
        for one in measured
        if not any(s.ours and s.context == VERDICT and s.url == one.url for s in statuses.get(one.commit, ()))
    ]
    return sorted(found, key=lambda one: one.pull.number)


def report_measured(
    checkout: Checkout,
    forge: MeasuringForge,
    ci: CI,
    today: date,
    plan: Callable[[int], str],
    say: Callable[[str], None],
) -> Iterator[tuple[Posted, Approval]]:
    """Reports on each merge request that is due. One that cannot be reported on does not stop the others.

    ``plan`` posts on a merge request what merging it deploys, and gives a sentence about that.
    Raises the last ModelyardError when all were tried.
    """
    failed: ModelyardError | None = None
    measured = []
    for one in forge.measured():
        try:
            measured.append(replace(one, commit=_source(checkout.git, one)))
        except ModelyardError as error:
            say(f"Pull request {one.pull.number} cannot be reported on: {error.problem}")
            failed = error
    for one in due(measured, {one.commit: forge.statuses(one.commit) for one in measured}):
        try:
            posted = _report(checkout, forge, ci, one, today, say)
            if posted is not None:
                say(plan(one.pull.number))
        except ModelyardError as error:
            say(f"Pull request {one.pull.number} could not be reported on: {error.problem}")
            failed = error
            continue
        if posted is not None:
            yield posted
    if failed is not None:
        raise failed


def untrusted_of(forge: MeasuringForge, one: Measured) -> UntrustedBundle:
    """What the jobs left. What is too large or broken is missing evidence, which the report says.

    ModelyardError where the forge does not answer: the next run asks again.
    """
    with archives(forge, one.jobs) as left:
        try:
            return read_untrusted(left.folder, under=left.under)
        except ModelyardError as error:
            return UntrustedBundle(refused=[error.problem])


def _source(git: Git, one: Measured) -> str:
    """The commit of the merge request that was measured. A pipeline of merged results has a merge into the target."""
    remote = git.remote()
    if not git.has_commit(one.commit) and remote is not None:
        git.fetch(remote, one.commit)
    head, parents = one.pull.head, git.commit_info(one.commit).parents
    return head if one.commit != head and len(parents) == 2 and parents[1] == head else one.commit


def _report(
    checkout: Checkout, forge: MeasuringForge, ci: CI, one: Measured, today: date, say: Callable[[str], None]
) -> tuple[Posted, Approval] | None:
    git, default = checkout.git, checkout.repository.config.default_branch
    subject = subject_of_pull(forge, git, one.pull.number, one.commit, one.url)
    if subject is None:
        say(f"Pull request {one.pull.number} has moved; its newer push has its own pipeline.")
        return None
    subject = replace(subject, succeeded=one.succeeded)
    untrusted = untrusted_of(forge, one)
    pull = subject.pull
    if not pull.from_fork and pull.base == default != pull.branch and subject.head == subject.measured:
        try:
            pushed = push_locks(git, checkout.evidence, untrusted, subject.measured, pull.branch, checkout.default_ref)
            subject = replace(subject, head=pushed or subject.head)
        except ModelyardError as error:
            say(error.problem)
    base = git.commit_of("HEAD")
    posted = Poster(checkout, forge, ci, base, today, say).post(subject, untrusted.evidence, untrusted.refused)
    approval = approval_of_pull(git, forge, subject, base)
    forge.set_status(subject.head, approval_status(approval, subject.run))
    return posted, approval
