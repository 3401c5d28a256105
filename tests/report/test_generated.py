"""CODEOWNERS, Containerfiles and the problems of manifests."""

from __future__ import annotations

import json

from modelyard.manifests.document import Problem
from modelyard.report.generated import HEAD, containerfile, render_owners
from modelyard.report.problems import as_json, github_annotations, summary

PROBLEM = Problem("models/a,b/model.yaml", 7, "task", "is 100% wrong:\nsay binary", "Write binary.")


def test_codeowners_names_shared_paths_first_and_no_owner_ends_a_line() -> None:
    lines = render_owners(
        ["@platform"], {"churn": ["@team", "@evil\n* @me", "a #b"], "abc": ["@platform"]}
    ).splitlines()
    assert lines[0] == HEAD and lines[1] == "/modelyard.yaml @platform"
    assert "/models/churn/ @team" in lines and "/waivers/churn-* @platform @team" in lines
    assert "/waivers/abc-* @platform" in lines and "@me" not in "\n".join(lines) and "#b" not in "\n".join(lines)
    assert lines.index("/models/abc/ @platform") < lines.index("/models/churn/ @team")
    assert len(render_owners([], {}).splitlines()) == 1


def test_a_containerfile_serves_one_version_without_privileges() -> None:
    written = containerfile("Churn", "v1.2.0", "a" * 64, "production", at=7)
    assert "modelyard package Churn@v1.2.0" in written and f'modelyard.sha256="{"a" * 64}"' in written
    assert written.index("USER 10001") < written.index("ENTRYPOINT") and '"--env", "production"' in written
    assert "--date=@7 " in written and "libgomp" not in written and "measured.txt" not in written
    serving = written.split("\nFROM ")[2]
    assert "pip" not in serving and "INDEX" not in serving, "what installs, and from where, is in no layer that serves"


def test_a_containerfile_has_what_its_flavor_leaves_to_the_system() -> None:
    written = containerfile("Churn", "v1.2.0", "a" * 64, "x", at=7, libraries=["libgomp1", "git"], measured=True)
    assert "apt-get install --yes --no-install-recommends libgomp1 git" in written and "libgomp.so.1" in written
    assert written.index("install.sh serving") < written.index("measured.txt") < written.index("uninstall")


def test_problems_are_counted_and_annotated() -> None:
    assert summary([]) == "All manifests are valid."
    assert summary([PROBLEM]) == "1 problem in 1 file." and summary([PROBLEM] * 2) == "2 problems in 1 file."
    [line] = github_annotations([PROBLEM])
    assert line == ("::error file=models/a%2Cb/model.yaml,line=7,title=task::"
                    "task is 100%25 wrong:%0Asay binary Write binary.")  # fmt: skip
    assert json.loads(json.dumps(as_json([PROBLEM])))[0]["remedy"] == "Write binary."
    assert "title=manifest::" in github_annotations([Problem("a", 1, "", "is empty", "")])[0]
