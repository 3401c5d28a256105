"""What a GitHub repository is set to: its default branch, required statuses, names of secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from modelyard.forges.interface import ForgeSettings

if TYPE_CHECKING:
    from github import Github

_PAGE = 100
_REFUSED = (403, 404)
"""A token without the permission, which GitHub also answers with 404; repositories without an organisation."""


def settings_of(github: Github, errors: Any, name: str) -> ForgeSettings:
    """The settings of owner/name. Raises PyGithub's exceptions for what any reader of the repository may ask."""

    def ask(path: str) -> Any:
        return github.requester.requestJsonAndCheck("GET", f"/repos/{name}{path}")[1]

    def if_allowed(path: str) -> Any:
        """The answer; None where the token may not ask, or the server does not know the path."""
        try:
            return ask(path)
        except errors.GithubException as error:
            if error.status in _REFUSED:
                return None
            raise

    def names(path: str) -> set[str] | None:
        found: set[str] = set()
        page = 1
        while (answer := if_allowed(f"{path}?per_page={_PAGE}&page={page}")) is not None:
            found |= {secret["name"] for secret in answer["secrets"]}
            if len(answer["secrets"]) < _PAGE:
                return found
            page += 1
        return None

    branch = ask("")["default_branch"]
    place = quote(branch, safe="")
    protection = ask(f"/branches/{place}").get("protection") or {}
    required = set((protection.get("required_status_checks") or {}).get("contexts") or ())
    rules = if_allowed(f"/rules/branches/{place}?per_page={_PAGE}")
    for rule in rules or ():
        if rule["type"] == "required_status_checks":
            required |= {check["context"] for check in rule["parameters"]["required_status_checks"]}
    lists = [names("/actions/secrets"), names("/actions/organization-secrets")]
    for environment in (if_allowed(f"/environments?per_page={_PAGE}") or {}).get("environments", ()):
        lists.append(names(f"/environments/{quote(environment['name'], safe='')}/secrets"))
    return ForgeSettings(
        default_branch=branch,
        required=frozenset(required) if required or rules is not None else None,
        secrets=frozenset(secret for found in lists if found for secret in found),
        every_secret=all(found is not None for found in lists),
    )
