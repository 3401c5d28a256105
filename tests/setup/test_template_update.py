"""A repository of an older modelyard, brought to this one's template: the team's changes stay."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from modelyard import __version__
from modelyard.checkout.checkout import Checkout
from modelyard.errors import ModelyardError, UsageError
from modelyard.forges.ci import CI
from modelyard.setup import template_update
from modelyard.setup.template import answers_of, rendered
from modelyard.setup.template_update import BRANCH, TemplateUpdate, plan_update, propose_update
from modelyard.setup.tree_change import carry_out
from support.package_index import add_toolkit
from support.pulls import MemoryForge
from support.yard import commit_all, git, tool, write

ROOT = Path(__file__).parents[2]
OLD = "0.0.9"
PROPOSE, POLICY, DEPLOY = ".github/workflows/propose.yml", "policies/standard.yaml", ".github/workflows/deploy.yml"
SHIPPED = ("copier.yml", "model-repo-template", "policies")


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template of an older toolkit: its workflow begins otherwise, and it has a file that is gone today."""
    folder = tmp_path_factory.mktemp("older")
    age(folder)
    return folder


@pytest.fixture(scope="module")
def made(older: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that the older toolkit wrote."""
    folder = tmp_path_factory.mktemp("made")
    tool(folder, "init", "yard", "--example", "none")
    yard = folder / "yard"
    for path, content in rendered(lambda name: older / name, answers_of(yard), OLD, "main").items():
        (yard / path).parent.mkdir(parents=True, exist_ok=True)
        (yard / path).write_bytes(content)
    toolkit = yard / "requirements/toolkit.txt"
    toolkit.write_text(f"modelyard=={OLD}\n")
    commit_all(yard, "written by the older toolkit")
    return yard


@pytest.fixture
def yard(made: Path, older: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(made, tmp_path / "yard", symlinks=True)
    monkeypatch.setattr(template_update, "_older_toolkit", lambda *_: older)
    return tmp_path / "yard"


def age(folder: Path) -> None:
    """Copies what ships with the toolkit, and changes it into what an older one could have shipped."""
    for name in SHIPPED:
        copied = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copied(ROOT / name, folder / name)
    workflow = folder / "model-repo-template" / PROPOSE
    workflow.write_text(f"# an older head\n{workflow.read_text()}")
    write(folder / "model-repo-template", {".modelyard/schemas/gone.schema.json": "{}"})


def planned(yard: Path, toolkit: str = "") -> TemplateUpdate:
    checkout = Checkout(yard)
    update = plan_update(checkout.repository, checkout.git, toolkit)
    assert update is not None
    return update


def changed(yard: Path, files: Mapping[str, str]) -> None:
    write(yard, dict(files))
    commit_all(yard, "ours")


def test_what_the_team_left_as_it_was_becomes_the_newer_template(yard: Path, tmp_path: Path) -> None:
    update = planned(yard)
    assert (update.before, update.after, update.merged, dict(update.kept)) == (OLD, __version__, (), {})
    carry_out(yard, update.change)
    commit_all(yard, "update")
    tool(tmp_path, "init", "fresh", "--example", "none", "--answer", "repository_name=yard")
    ours, fresh = (
        {p: (folder / p).read_bytes() for p in git(folder, "ls-files").split()} for folder in (yard, tmp_path / "fresh")
    )
    assert ours == fresh, "what init of the newer toolkit would have written"
    checkout = Checkout(yard)
    assert plan_update(checkout.repository, checkout.git) is None, "a second update has nothing to do"


def test_what_both_changed_in_other_lines_is_merged(yard: Path) -> None:
    ours = (yard / PROPOSE).read_text() + "# our last line\n"
    changed(yard, {PROPOSE: ours})
    update = planned(yard)
    assert update.merged == (PROPOSE,) and not update.kept
    assert update.files[PROPOSE] == ours.removeprefix("# an older head\n").encode()


def test_what_both_changed_in_the_same_line_stays_and_is_shown(yard: Path) -> None:
    ours = (yard / PROPOSE).read_text().replace("# an older head", "# our head: @everyone\n# <b>```")
    changed(yard, {PROPOSE: ours})
    update = planned(yard)
    assert PROPOSE not in update.files and "-# an older head" in update.kept[PROPOSE]
    body = update.proposed.body
    assert f"left as they are: `{PROPOSE}`" in body and "-# an older head" in body


def test_what_the_team_removed_or_made_its_own_stays_so(yard: Path) -> None:
    (yard / PROPOSE).unlink()
    changed(yard, {"README.md": "ours\n", ".modelyard/schemas/gone.schema.json": "ours\n"})
    update = planned(yard)
    assert not {PROPOSE, "README.md"} & update.files.keys()
    assert set(update.kept) == {".modelyard/schemas/gone.schema.json"}


def test_a_link_is_never_written_through(yard: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("theirs")
    (yard / PROPOSE).unlink()
    (yard / PROPOSE).symlink_to(tmp_path / "outside")
    commit_all(yard, "a link")
    update = planned(yard)
    assert set(update.kept) == {PROPOSE} and PROPOSE not in update.files


def test_the_version_is_written_where_modelyard_yaml_is_the_teams_own(yard: Path) -> None:
    config = (yard / "modelyard.yaml").read_text()
    changed(yard, {"modelyard.yaml": re.sub("(?s)^.*?\ntoolkit: .*?\n", "# ours\ntoolkit: '0.0.9' # pinned\n", config)})
    update = planned(yard)
    text = (update.files["modelyard.yaml"] or b"").decode()
    assert text.startswith(f'# ours\ntoolkit: "{__version__}"')
    assert f'modelyard: "{__version__}"' in (update.files[".copier-answers.yml"] or b"").decode()


def test_workflows_keep_the_repositorys_own_default_branch(yard: Path) -> None:
    git(yard, "branch", "--move", "trunk")
    changed(yard, {"modelyard.yaml": (yard / "modelyard.yaml").read_text().replace("branch: main", "branch: trunk")})
    for path in (yard / ".github/workflows").glob("*.yml"):
        path.write_text(
            path.read_text().replace("branches: [main]", "branches: [trunk]").replace("origin/main", "origin/trunk")
        )
    commit_all(yard, "trunk")
    update = planned(yard)
    assert not update.kept and b"[main]" not in (update.files[PROPOSE] or b"")


def test_an_update_is_refused_where_it_could_not_stand_alone(yard: Path) -> None:
    config = yard / "modelyard.yaml"
    config.write_text(config.read_text() + "# a thought\n")
    with pytest.raises(UsageError, match=r"modelyard\.yaml is not committed"):
        planned(yard)
    commit_all(yard, "x")
    answers = yard / ".copier-answers.yml"
    answers.write_text("_commit: v0.0.9\n_src_path: https://example.org/modelyard.git\n")
    commit_all(yard, "copied")
    with pytest.raises(UsageError, match="copied by Copier") as error:
        planned(yard)
    assert "copier update" in error.value.remedy
    answers.unlink()
    commit_all(yard, "lost")
    with pytest.raises(UsageError, match="is missing"):
        planned(yard)


def test_a_toolkit_from_git_needs_the_commit_of_the_newer_one(yard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = (f"git+https://example.org/modelyard.git@{digit * 40}" for digit in "ab")
    answers = (yard / ".copier-answers.yml").read_text()
    changed(yard, {".copier-answers.yml": re.sub("(?m)^toolkit: .*$", f'toolkit: "{old}"', answers)})
    monkeypatch.setattr(template_update, "own_source", lambda: "index")
    with pytest.raises(UsageError, match="does not know its own commit"):
        planned(yard)
    update = planned(yard, new)
    assert f"modelyard @ {new}\n" in (update.files["requirements/toolkit.txt"] or b"").decode()
    assert f'toolkit: "{new}"' in (update.files[".copier-answers.yml"] or b"").decode()
    monkeypatch.setattr(template_update, "own_source", lambda: new)
    assert planned(yard).files == update.files


def test_a_forge_gets_a_pull_request_that_a_second_run_leaves_alone(
    yard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forge = MemoryForge()
    monkeypatch.setattr(template_update, "open_pull_forge", lambda repository, git: (forge, CI()))
    git(yard.parent, "init", "--quiet", "--bare", "origin.git")
    git(yard, "remote", "add", "origin", "../origin.git")
    git(yard, "push", "--quiet", "origin", "main")
    opened = [propose_update(Checkout(yard), planned(yard)) for _ in range(2)]
    assert opened[0] == opened[1] and opened[0].number == 1 and len(forge.pulls) == 1
    assert forge.pulls[1].title == f"Update the template from modelyard {OLD} to {__version__}"
    assert git(yard, "rev-list", "--count", f"origin/main..origin/{BRANCH}").strip() == "1"
    assert git(yard, "status", "--porcelain") == "", "the checkout is as it was"
    assert not forge.set_statuses, "policies may change, so the checks of the pull request decide"
    git(yard, "switch", "--quiet", "--create", "feature")
    with pytest.raises(UsageError, match="on feature"):
        propose_update(Checkout(yard), planned(yard))


def test_the_older_template_comes_from_where_ci_installs_the_toolkit(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard, source = tmp_path / "yard", tmp_path / "source"
    shutil.copytree(made, yard, symlinks=True)
    config = yard / "modelyard.yaml"
    config.write_text(config.read_text().replace("forge: github", "forge: git"))
    commit_all(yard, "plain git")
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{tmp_path.as_uri()}/none/simple")
    said = tool(yard, "update", expect=4).stderr
    assert f"The template of modelyard {OLD}" in said and "UV_DEFAULT_INDEX" in said
    assert git(yard, "status", "--porcelain") == "" and BRANCH not in git(yard, "branch", "--list", BRANCH)

    source.mkdir()
    age(source)
    for name in ("tools", "requirements"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("README.md", "LICENSE", "model-template"):
        copied = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copied(ROOT / name, source / name)
    project = (ROOT / "pyproject.toml").read_text().replace(f'version = "{__version__}"', f'version = "{OLD}"', 1)
    (source / "pyproject.toml").write_text(project)
    (tmp_path / "index").mkdir()
    add_toolkit(tmp_path / "index", source)
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{tmp_path.as_uri()}/index/simple")
    shown = json.loads(tool(yard, "update", "--json").stdout)
    assert (shown["from"], shown["to"], shown["branch"], shown["pull_request"]) == (OLD, __version__, BRANCH, None)
    assert {PROPOSE, "modelyard.yaml", ".modelyard/schemas/gone.schema.json"} <= set(shown["changed"])
    git(yard, "merge", "--quiet", "--no-ff", "--no-edit", BRANCH)
    tool(yard, "validate")
    assert "up to date" in tool(yard, "update").stderr


def test_workflows_of_another_ci_system_come_after_the_update(yard: Path) -> None:
    checkout = Checkout(yard)
    with pytest.raises(UsageError, match=f"is of modelyard {OLD}") as error:
        plan_update(checkout.repository, checkout.git, ci="gitlab")
    assert "merge it" in error.value.remedy


def test_a_template_that_cannot_be_rendered_names_the_answers(yard: Path) -> None:
    answers = (yard / ".copier-answers.yml").read_text()
    changed(yard, {".copier-answers.yml": answers.replace('policy: "standard"', 'policy: "mine"')})
    with pytest.raises(ModelyardError, match="cannot be rendered") as error:
        planned(yard)
    assert ".copier-answers.yml" in error.value.remedy
