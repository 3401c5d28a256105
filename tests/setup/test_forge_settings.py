"""What doctor --ci says of a forge's settings, and that what a token may not ask is no failure."""

from __future__ import annotations

from dataclasses import replace

import pytest
from modelyard.forges.interface import VERDICT, ForgeSettings
from modelyard.setup.forge_settings import examine_settings, of_github, of_gitlab

WORKFLOWS = """
  AWS_SECRET_ACCESS_KEY: ${{ secrets.DVC_KEY }}
  ALERTS_URL: ${{ secrets.ALERTS_URL }}
  GITHUB_TOKEN: ${{ secrets.GITHUB_TOKEN }}
"""
WANTED = of_github(WORKFLOWS, ["AWS_SECRET_ACCESS_KEY"])
ASKED = ForgeSettings("main", frozenset([VERDICT, "other"]), frozenset(["DVC_KEY", "ALERTS_URL"]), True)


@pytest.mark.parametrize(
    ("settings", "what", "state", "said"),
    [
        (ASKED, "default branch on github", "ok", "main"),
        (replace(ASKED, default_branch="trunk"), "default branch on github", "missing", "trunk, but"),
        (ASKED, "required status", "ok", VERDICT),
        (replace(ASKED, required=frozenset()), "required status", "missing", "stops no merge"),
        (replace(ASKED, required=None), "required status", "warning", "not known"),
        (ASKED, "secrets", "ok", "DVC_KEY"),
        (
            replace(ASKED, secrets=frozenset(["DVC_KEY"])),
            "optional secrets",
            "warning",
            "nothing here needs them: ALERTS_URL",
        ),
        (replace(ASKED, secrets=frozenset(["ALERTS_URL"])), "secrets", "missing", "github has no DVC_KEY"),
        (replace(ASKED, secrets=frozenset(), every_secret=False), "secrets", "warning", "not known: DVC_KEY"),
        (replace(ASKED, every_secret=False), "secrets", "ok", "DVC_KEY"),
    ],
)
def test_a_setting_is_right_wrong_or_not_known(settings: ForgeSettings, what: str, state: str, said: str) -> None:
    found = examine_settings(settings, "github", "main", WANTED)
    assert [f.state for f in found if f.what == what and said in f.found] == [state]
    assert all(f.remedy for f in found if f.state != "ok")


def test_another_ci_has_its_secrets_itself() -> None:
    assert not [f for f in examine_settings(ASKED, "github", "main", None) if f.what == "secrets"]


def test_gitlabs_jobs_need_a_token() -> None:
    found = examine_settings(ASKED, "gitlab", "main", of_gitlab(["DVC_KEY"]))
    assert [f.found for f in found if f.state == "missing"] == ["gitlab has no MODELYARD_TOKEN"]


def test_on_gitlab_a_merge_request_reaches_no_token() -> None:
    def found(**changes: object) -> list[tuple[str, str]]:
        settings = replace(ASKED, secrets=frozenset(["MODELYARD_TOKEN"]), variables_by="owner", **changes)  # type: ignore[arg-type]
        return [
            (f.what, f.state) for f in examine_settings(settings, "gitlab", "main", of_gitlab([])) if f.state != "ok"
        ]

    assert found() == found(exposed=frozenset(["OTHER"])) == []
    assert found(exposed=frozenset(["MODELYARD_TOKEN"])) == [("token", "missing")]
    assert found(everywhere=frozenset(["MODELYARD_TOKEN"])) == [("scope of the token", "missing")]
    assert found(everywhere=frozenset(["OTHER"])) == []
    assert found(forks_run_here=True) == [], "no cloud trusts this project"
    role = replace(ASKED, secrets=frozenset(["MODELYARD_TOKEN", "AWS_ROLE_ARN"]), variables_by="owner")
    for open_to_forks, said in ((True, ["pipelines of forks"]), (False, [])):
        asked = examine_settings(replace(role, forks_run_here=open_to_forks), "gitlab", "main", of_gitlab([]))
        assert [f.what for f in asked if f.state != "ok"] == said
    weak = replace(ASKED, secrets=frozenset(["MODELYARD_TOKEN"]))
    for least in ("", "developer", "maintainer"):
        asked = examine_settings(replace(weak, variables_by=least), "gitlab", "main", of_gitlab([]))
        assert [f.what for f in asked if f.state == "warning"] == ["pipeline variables"]
    assert not [f for f in examine_settings(weak, "github", "main", of_gitlab([])) if f.what == "pipeline variables"]
