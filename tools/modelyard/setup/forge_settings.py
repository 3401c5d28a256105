"""Whether a forge is set as its CI needs it: default branch, required statuses, secrets of the workflows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from modelyard.forges.interface import VERDICT, ForgeSettings
from modelyard.setup.finding import Finding
from modelyard.setup.forge_environments import ROLES

_VARIABLE = "MODELYARD_TOKEN"
_FORKS = "ci_allow_fork_pipelines_to_run_in_parent_project"
_SCOPE = "modelyard*"
"""The environments of the jobs of .gitlab-ci.yml that get it."""
_MAPPED = re.compile(r"([A-Z][A-Z0-9_]*): \$\{\{[^}\n]*\bsecrets\.([A-Z][A-Z0-9_]*)")
_NAMED = re.compile(r"\bsecrets\.([A-Z][A-Z0-9_]*)")


@dataclass(frozen=True)
class WantedSecrets:
    """The secrets or variables of a forge that its jobs read."""

    needed: frozenset[str]
    """Those that this repository's files ask for."""
    named: frozenset[str] = frozenset()
    """The others that the workflows name; they are empty until somebody sets them."""


def of_github(workflows: str, variables: Iterable[str]) -> WantedSecrets:
    """What workflows name. ``variables`` are those that the jobs need, whatever their secrets are called."""
    named = set(_NAMED.findall(workflows)) - {"GITHUB_TOKEN"}
    needed = {secret for variable, secret in _MAPPED.findall(workflows) if variable in set(variables)} & named
    return WantedSecrets(frozenset(needed), frozenset(named - needed))


def of_gitlab(variables: Iterable[str]) -> WantedSecrets:
    """What the jobs of GitLab read: variables by the names that they need, and the token that pushes and comments."""
    return WantedSecrets(frozenset({_VARIABLE, *variables}))


def examine_settings(
    settings: ForgeSettings, forge: str, default_branch: str, wanted: WantedSecrets | None
) -> list[Finding]:
    """The findings about a forge; ``wanted`` is None where another CI than the forge's own has the secrets."""
    findings = [_branch(settings, forge, default_branch), _required(settings, forge)]
    if wanted is None:
        return findings
    findings += _secrets(settings, forge, wanted)
    return [*findings, *_unprotected(settings)] if forge == "gitlab" else findings


def _branch(settings: ForgeSettings, forge: str, ours: str) -> Finding:
    what = f"default branch on {forge}"
    if settings.default_branch == ours:
        return Finding(what, "ok", ours)
    found = f"{settings.default_branch}, but modelyard.yaml says {ours}"
    return Finding(what, "missing", found, f"Make {ours} the default branch there, or correct modelyard.yaml.")


def _required(settings: ForgeSettings, forge: str) -> Finding:
    what = "required status"
    remedy = f"Require {VERDICT} before a merge into {settings.default_branch}" + (
        ": Settings, Rules, Rulesets." if forge == "github" else ": Settings, Merge requests, Pipelines must succeed."
    )
    if settings.required is None:
        return Finding(what, "warning", "not known: the token may not ask", remedy)
    if VERDICT not in settings.required:
        return Finding(what, "missing", f"{VERDICT} is not required, so a failed verdict stops no merge", remedy)
    return Finding(what, "ok", VERDICT)


def _secrets(settings: ForgeSettings, forge: str, wanted: WantedSecrets) -> list[Finding]:
    absent, unset = (sorted(names - settings.secrets) for names in (wanted.needed, wanted.named))
    if (absent or unset) and not settings.every_secret:
        remedy = "Look there, or give a token that may list them: of an administrator, on GitLab of the group's owner."
        return [Finding("secrets", "warning", f"not known: {', '.join([*absent, *unset])}", remedy)]
    place = "gh secret set NAME" if forge == "github" else "Settings, CI/CD, Variables"
    findings = [Finding("secrets", "ok", ", ".join(sorted(wanted.needed)) or "none is needed")]
    if absent:
        findings = [Finding("secrets", "missing", f"{forge} has no {', '.join(absent)}", f"Set them: {place}")]
    if unset:
        found = f"empty, and nothing here needs them: {', '.join(unset)}"
        findings.append(Finding("optional secrets", "warning", found, f"Where you use them, set them: {place}"))
    return findings


def _unprotected(settings: ForgeSettings) -> list[Finding]:
    """What lets code that a merge request brings reach the token, in its own pipeline or after its merge."""
    findings = []
    if _VARIABLE in settings.exposed:
        found = f"{_VARIABLE} is not protected, so a merge request can read it"
        findings.append(Finding("token", "missing", found, "Protect it: Settings, CI/CD, Variables."))
    if _VARIABLE in settings.everywhere:
        found = f"every job gets {_VARIABLE}, also those that run a model's code"
        remedy = f"Settings, CI/CD, Variables: give it the environment scope {_SCOPE}."
        findings.append(Finding("scope of the token", "missing", found, remedy))
    if settings.variables_by not in ("owner", "no_one_allowed"):
        found = f"pipelines may be given variables from the role {settings.variables_by or 'that is not known'} on"
        remedy = "Settings, CI/CD, Variables: set the minimum role to use pipeline variables to Owner."
        findings.append(Finding("pipeline variables", "warning", found, remedy))
    if settings.forks_run_here and settings.secrets & set(ROLES.values()):
        found = "the pipeline of a fork's main, started here, gets a token for which a cloud gives the role of our main"
        remedy = f"Set {_FORKS} to false, with the API of projects. Then no pipeline of a fork runs here."
        findings.append(Finding("pipelines of forks", "warning", found, remedy))
    return findings
