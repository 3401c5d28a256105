"""What a GitHub repository is set to: its default branch, required statuses, environments, names of secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from modelyard.forges.interface import PROTECTED_BRANCHES, ForgeEnvironment, ForgeSettings

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

    def names(path: str, kind: str = "secrets") -> frozenset[str] | None:
        found: set[str] = set()
        page = 1
        while (answer := if_allowed(f"{path}?per_page={_PAGE}&page={page}")) is not None:
            found |= {listed["name"] for listed in answer[kind]}
            if len(answer[kind]) < _PAGE:
                return frozenset(found)
            page += 1
        return None

    lists = [names("/actions/secrets"), names("/actions/organization-secrets")]

    def environment(listed: Any) -> ForgeEnvironment:
        """One of the list, with its branches, secrets and variables; what may not be asked is taken for absent."""
        place = f"/environments/{quote(listed['name'], safe='')}"
        policy = listed.get("deployment_branch_policy")
        branches = frozenset([PROTECTED_BRANCHES]) if policy else None
        if policy and policy["custom_branch_policies"]:
            answer = if_allowed(f"{place}/deployment-branch-policies?per_page={_PAGE}")
            branches = frozenset(one["name"] for one in (answer or {}).get("branch_policies", ()))
        secrets = names(f"{place}/secrets")
        lists.append(secrets)
        return ForgeEnvironment(
            name=listed["name"],
            branches=branches,
            reviewed=any(rule["type"] == "required_reviewers" for rule in listed.get("protection_rules", ())),
            secrets=secrets or frozenset(),
            variables=names(f"{place}/variables", "variables") or frozenset(),
        )

    branch = ask("")["default_branch"]
    place = quote(branch, safe="")
    protection = ask(f"/branches/{place}").get("protection") or {}
    required = set((protection.get("required_status_checks") or {}).get("contexts") or ())
    rules = if_allowed(f"/rules/branches/{place}?per_page={_PAGE}")
    for rule in rules or ():
        if rule["type"] == "required_status_checks":
            required |= {check["context"] for check in rule["parameters"]["required_status_checks"]}
    listed = if_allowed(f"/environments?per_page={_PAGE}")
    environments = tuple(environment(one) for one in listed["environments"]) if listed else None
    variables = [names(f"/actions/{kind}", "variables") for kind in ("variables", "organization-variables")]
    return ForgeSettings(
        default_branch=branch,
        required=frozenset(required) if required or rules is not None else None,
        secrets=frozenset[str]().union(*(found for found in lists if found)),
        every_secret=all(found is not None for found in lists),
        variables=None if variables[0] is None else frozenset[str]().union(*(found for found in variables if found)),
        environments=environments,
    )
