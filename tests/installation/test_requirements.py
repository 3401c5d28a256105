"""The shipped lock, and the requirement files that init writes from it."""

from __future__ import annotations

import json
import re
from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.dvc import driver_extra
from modelyard.errors import ModelyardError, UsageError
from modelyard.installation import toolkit
from modelyard.installation.extras import packages_of_extras
from modelyard.installation.jobs import JOBS, needs_of, remote_urls, write_requirements
from modelyard.installation.lock import read_lock, shipped_lock
from modelyard.manifests.repository import ModelRepository
from support.yard import small_repository, tool, write

COMMIT = "0123456789abcdef0123456789abcdef01234567"
GIT = f"git+https://git.example.org/tools/modelyard@{COMMIT}"
LOCK = read_lock("""\
a==1 \\
    --hash=sha256:00
    # via modelyard (pyproject.toml)
b-b==2 ; sys_platform == 'linux' \\
    --hash=sha256:01 \\
    --hash=sha256:02
    # via
    #   a
    #   c
b-b==3 ; sys_platform != 'linux' \\
    --hash=sha256:03
    # via a
c==4 \\
    --hash=sha256:04
    # via b-b
d==5 \\
    --hash=sha256:05
    # via modelyard (pyproject.toml)
""")


def test_a_closure_has_everything_that_is_needed_and_nothing_else() -> None:
    assert [f"{pin.name} {pin.version}" for pin in LOCK.closure(["A"])] == ["a 1", "b-b 2", "b-b 3", "c 4"]
    assert LOCK.closure(["b_b"])[0].text.splitlines()[-1] == "    --hash=sha256:02"
    assert LOCK.closure(["d"])[0].text == "d==5 \\\n    --hash=sha256:05"
    with pytest.raises(ModelyardError, match="no package zebra"):
        LOCK.closure(["zebra"])


@given(st.text(alphabet="ab=1 \n#\\;-.[]"))
def test_any_text_is_read_as_a_lock(text: str) -> None:
    for pin in read_lock(text).pins:
        assert pin.name and pin.version


def test_every_package_of_every_extra_is_locked_with_hashes_and_no_host() -> None:
    lock = shipped_lock()
    for packages in packages_of_extras(everywhere=True).values():
        assert lock.closure(packages)
    assert all("--hash=sha256:" in pin.text and "://" not in pin.text for pin in lock.pins)


def test_each_job_gets_only_its_own(tmp_path: Path) -> None:
    tool(tmp_path, "init", "yard")
    folder = tmp_path / "yard/requirements"
    names = {job: set(re.findall(r"^([\w.-]+)==", (folder / f"{job}.txt").read_text(), re.MULTILINE)) for job in JOBS}
    assert {"click", "numpy"} <= names["planning"] and not {"dvc", "pyarrow", "pandas"} & names["planning"]
    assert {"dvc", "pandas", "lightgbm", "great-tables"} <= names["measuring"] and "copier" not in names["measuring"]
    assert "pygithub" in names["reporting"] and not {"dvc", "pyarrow", "scipy"} & names["reporting"]
    assert {"dvc", "lightgbm", "model-signing"} <= names["deploying"] and "pandas" not in names["deploying"]
    assert {"uvicorn", "lightgbm"} <= names["serving"] and not {"dvc", "pygithub"} & names["serving"]
    assert not any("dvc-s3" in found or "python-gitlab" in found for found in names.values())
    assert not (folder.parent / "requirements.txt").exists()


def test_the_remote_the_forge_and_the_source_decide(tmp_path: Path) -> None:
    tool(tmp_path, "init", "yard", "--answer", "remote_url=s3://bucket/models", "--answer", "ci=gitlab",
         "--answer", f"toolkit={GIT}")  # fmt: skip
    yard = tmp_path / "yard"
    assert needs_of(ModelRepository(yard)).remotes == ("s3",) and needs_of(ModelRepository(yard)).forge == ("gitlab",)
    measuring = (yard / "requirements/measuring.txt").read_text()
    assert "\ndvc-s3==" in measuring
    assert "\nhatchling==" in (yard / "requirements/installer.txt").read_text(), "a source of Git is built, locked"
    assert (yard / "requirements/toolkit.txt").read_text().endswith(f"modelyard @ {GIT}\n")
    assert write_requirements(ModelRepository(yard), GIT) == [], "nothing has changed"


def test_a_mirror_needs_what_signs_its_requests_and_no_driver_of_dvc(tmp_path: Path) -> None:
    yard = small_repository(tmp_path / "yard")
    assert needs_of(ModelRepository(yard)).mirror == ()
    with (yard / "modelyard.yaml").open("a") as config:
        config.write("mirror: {url: s3://record/models}\n")
    needs = needs_of(ModelRepository(yard))
    assert needs.remotes == () and "aws" in needs.extras("deploying") and "aws" not in needs.extras("measuring")


def test_without_ci_there_are_no_requirements(tmp_path: Path) -> None:
    tool(tmp_path, "init", "yard", "--answer", "ci=none")
    assert not (tmp_path / "yard/requirements").exists()


@pytest.mark.parametrize("source", ["git+https://example.org/x@v1.0.0", "pypi", f"https://example.org/x@{COMMIT}", ""])
def test_a_source_is_an_index_or_a_commit(tmp_path: Path, source: str) -> None:
    with pytest.raises(UsageError, match="40 digits"):
        toolkit.checked_source(source)
    assert "40 digits" in tool(tmp_path, "init", "yard", "--answer", f"toolkit={source}", expect=2).stderr
    assert not (tmp_path / "yard").exists()


@pytest.mark.parametrize(
    ("origin", "source", "requirement"),
    [
        (
            {"url": "https://me:secret@git.example.org/m", "vcs_info": {"vcs": "git", "commit_id": COMMIT}},
            f"git+https://git.example.org/m@{COMMIT}",
            f"modelyard @ git+https://git.example.org/m@{COMMIT}",
        ),
        (
            {"url": "file:///x.whl", "archive_info": {"hashes": {"sha256": "a" * 64}}},
            "index",
            f"modelyard=={metadata.version('modelyard')} \\\n    --hash=sha256:{'a' * 64}",
        ),
        ({"url": "file:///nowhere", "dir_info": {}}, "index", f"modelyard=={metadata.version('modelyard')}"),
    ],
)
def test_the_default_source_is_what_was_installed(
    monkeypatch: pytest.MonkeyPatch, origin: dict[str, object], source: str, requirement: str
) -> None:
    class Installed:
        def read_text(self, name: str) -> str:
            return json.dumps(origin)

    monkeypatch.setattr(metadata, "distribution", lambda name: Installed())
    assert toolkit.own_source() == source
    assert toolkit.toolkit_requirement(source).partition("\n")[2] == f"{requirement}\n"


def test_the_default_remote_comes_first_and_names_its_driver(tmp_path: Path) -> None:
    assert remote_urls(tmp_path) == {}
    write(tmp_path, {".dvc/config": """[core]
    remote = main
['remote "other"']
    url = ../storage
['remote "main"']
    url = s3://bucket/%40x
"""})  # fmt: skip
    assert list(remote_urls(tmp_path).items()) == [("main", "s3://bucket/%40x"), ("other", "../storage")]
    assert [driver_extra(url) for url in remote_urls(tmp_path).values()] == ["s3", None]
    write(tmp_path, {".dvc/config": "remote"})
    with pytest.raises(ModelyardError, match="cannot be read"):
        remote_urls(tmp_path)


def test_update_writes_what_is_missing_or_changed(tmp_path: Path) -> None:
    tool(tmp_path, "init", "yard")
    yard = tmp_path / "yard"
    assert "up to date" in tool(yard, "update").stderr
    (yard / "requirements/planning.txt").write_text("numpy\n")
    (yard / "requirements/install.sh").unlink()
    config = yard / ".dvc/config"
    config.write_text(config.read_text().replace("../../storage", "gs://bucket/models"))
    changed = tool(yard, "update").stdout.split()
    assert set(changed) == {
        f"requirements/{name}" for name in ("planning.txt", "measuring.txt", "deploying.txt", "install.sh")
    }
    assert "\ndvc-gs==" in (yard / "requirements/measuring.txt").read_text()


def test_a_repository_of_a_newer_toolkit_is_refused(tmp_path: Path) -> None:
    tool(tmp_path, "init", "yard")
    config = tmp_path / "yard/modelyard.yaml"
    config.write_text(re.sub(r"toolkit: .*", 'toolkit: "99.0.0"', config.read_text()))
    for command in (["update"], ["status"], ["doctor", "--ci"]):
        assert "pip install 'modelyard==99.0.0'" in tool(tmp_path / "yard", *command, expect=1).stderr
