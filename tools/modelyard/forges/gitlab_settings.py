"""What a GitLab project is set to: its default branch, whether a merge needs the pipeline, names of variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from modelyard.forges.interface import VERDICT, ForgeSettings

if TYPE_CHECKING:
    from gitlab import Gitlab

_REFUSED = (401, 403, 404)


def settings_of(gitlab: Gitlab, errors: Any, path: str) -> ForgeSettings:
    """The settings of a project by its path. Raises python-gitlab's exceptions where the project cannot be read.

    A commit status is a job of the merge request's pipeline, so where a merge needs the pipeline, it needs the verdict.
    """
    place = f"/projects/{quote(path, safe='')}"
    project: Any = gitlab.http_get(place)
    lists = [_variables(gitlab, errors, place)]
    if project.get("namespace", {}).get("kind") == "group":
        parts = path.split("/")[:-1]
        groups = ("/".join(parts[: end + 1]) for end in range(len(parts)))
        lists += [_variables(gitlab, errors, f"/groups/{quote(group, safe='')}") for group in groups]
    needs_pipeline = project.get("only_allow_merge_if_pipeline_succeeds")
    return ForgeSettings(
        default_branch=project["default_branch"],
        required=None if needs_pipeline is None else frozenset([VERDICT] if needs_pipeline else []),
        secrets=frozenset(one.name for found in lists if found for one in found),
        every_secret=all(found is not None for found in lists),
        exposed=frozenset(one.name for found in lists if found for one in found if not one.protected),
        everywhere=frozenset(one.name for found in lists if found for one in found if one.scope == "*"),
        forks_run_here=project.get("ci_allow_fork_pipelines_to_run_in_parent_project") is not False,
        variables_by=project.get("ci_pipeline_variables_minimum_override_role") or "",
    )


class _Variable(NamedTuple):
    name: str
    protected: bool
    scope: str
    """Pattern of the environments whose jobs get it."""


def _variables(gitlab: Gitlab, errors: Any, place: str) -> list[_Variable] | None:
    """All variables of a project or group; None where the token may not see them."""
    try:
        found = gitlab.http_list(f"{place}/variables", iterator=True, per_page=100)
        return [_Variable(v["key"], bool(v.get("protected")), v.get("environment_scope") or "*") for v in found]
    except errors.GitlabError as error:
        if error.response_code in _REFUSED:
            return None
        raise
