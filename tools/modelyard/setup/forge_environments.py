"""Whether GitHub's environments hold what the workflows rely on: who enters which, and whether roles replace keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from modelyard.forges.ci import MEASURING, REGISTERING
from modelyard.forges.interface import PROTECTED_BRANCHES, ForgeEnvironment, ForgeSettings
from modelyard.setup.finding import Finding

ROLES = {"s3": "AWS_ROLE_ARN", "gs": "GCP_WORKLOAD_IDENTITY_PROVIDER", "azure": "AZURE_CLIENT_ID"}
"""Driver of a DVC remote → the variable that names the role for it, as the action ``credentials`` reads it."""
_WHERE = "Settings, Environments"


def examine_environments(settings: ForgeSettings, deployed: Sequence[str]) -> list[Finding]:
    """The findings about GitHub's environments for registering, for models' code and for those of modelyard.yaml.

    ``deployed`` are the names in modelyard.yaml. An environment that any branch enters guards nothing: whoever pushes a
    branch writes a workflow that takes its secrets and its role.
    """
    if settings.environments is None:
        remedy = f"Look there ({_WHERE}), or give a token that may read them."
        return [Finding("environments", "warning", "not known: the token may not list them", remedy)]
    there = {environment.name.lower(): environment for environment in settings.environments}
    findings = [_guarded(name, there.get(name.lower()), settings.default_branch) for name in (REGISTERING, *deployed)]
    return [*findings, *_measuring(there.get(MEASURING))]


def without_role(settings: ForgeSettings, extra: str, deployed: Iterable[str]) -> list[str] | None:
    """The environments whose jobs have no role for a driver's storage; None where the variables are not known."""
    if settings.variables is None:
        return None
    variable = ROLES[extra]
    if variable in settings.variables:
        return []
    having = {found.name.lower() for found in settings.environments or () if variable in found.variables}
    return [name for name in (MEASURING, REGISTERING, *deployed) if name.lower() not in having]


def is_shared(settings: ForgeSettings, extra: str) -> bool:
    """Whether the jobs that run a model's code take the role that all others take, the repository's."""
    own = {found.name.lower() for found in settings.environments or () if ROLES[extra] in found.variables}
    return ROLES[extra] in (settings.variables or ()) and MEASURING not in own


def _guarded(name: str, found: ForgeEnvironment | None, main: str) -> Finding:
    what = f"environment {name}"
    remedy = f"{_WHERE}, {name}, Deployment branches and tags: Selected branches, {main}."
    if found is None:
        return Finding(what, "warning", "GitHub has none yet, and makes one that every branch enters", remedy)
    reviewed = "a person lets each job in" if found.reviewed else "no required reviewers"
    if found.branches is None:
        held = sorted(found.secrets | found.variables)
        said = f"jobs of every branch enter it, also of pull requests, and take {', '.join(held) or 'its role'}"
        return Finding(what, "missing" if held else "warning", said, remedy)
    if others := sorted(found.branches - {main, PROTECTED_BRANCHES}):
        return Finding(what, "missing", f"jobs of {', '.join(others)} enter it too", remedy)
    if not found.branches:
        return Finding(what, "warning", "its branches are not known, or there are none", remedy)
    return Finding(what, "ok", f"{', '.join(sorted(found.branches))} only; {reviewed}")


def _measuring(found: ForgeEnvironment | None) -> list[Finding]:
    """Pull requests are measured there, so nothing may stop them, and nothing may be there that they must not have."""
    if found is None or (found.branches is None and not found.reviewed):
        return []
    said = "its rules stop the measurement of pull requests"
    return [Finding(f"environment {MEASURING}", "warning", said, f"{_WHERE}, {MEASURING}: no reviewers, all branches.")]
