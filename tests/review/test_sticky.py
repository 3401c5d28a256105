"""The sticky comment, by the double of CML (or by CML_BIN) as a real program, and by the API, on the tests' forge."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from forge.place import Place, forge_with_people
from forge.server import ForgeServer
from hypothesis import given
from hypothesis import strategies as st
from modelyard.forges.ci import CI
from modelyard.forges.github import GitHubForge
from modelyard.git import Git
from modelyard.report.markdown.comment import marker
from modelyard.review.sticky import StickyComment, stick, without_watermark
from support.yard import git

BOT = "github-actions[bot]"
MODEL = "flight_delay"
MARK = marker(MODEL)
DOUBLE = Path(__file__).parents[1] / "actions" / "cml.py"


class Scene:
    """A pull request on the tests' GitHub, its adapter, and the programs on PATH."""

    def __init__(self, server: ForgeServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.place, self.folder = Place(server, folder), folder
        self.said: list[str] = []
        self.ci = CI(server.url, f"{server.url}/api/v3", server.store.name, "bot", "x", timeout=5)
        self.forge = GitHubForge.connect(Git(self.place.clone), self.ci)
        self.number = self.place.pull.number
        git(self.place.clone, "remote", "set-url", "origin", server.remote())
        (folder / "bin").mkdir()
        monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
        for name, value in {
            "NODE_EXTRA_CA_CERTS": str(server.ca), "GITHUB_REPOSITORY": server.store.name, "GITHUB_SERVER_URL": server.url,
            "GITHUB_ACTOR": "ada", "CI": "true", "GITHUB_EVENT_NAME": "workflow_run", "GITHUB_SHA": server.store.head_of(server.store.name, "main"),
            "AWS_SECRET_ACCESS_KEY": "canary-secret-key", "MODELYARD_TOKEN": "canary-token",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)

    def program(self, text: str) -> None:
        """Puts a program called cml on PATH."""
        file = self.folder / "bin" / "cml"
        file.write_text(text)
        file.chmod(0o755)

    def cml(self) -> None:
        """Puts the real CML of CML_BIN on PATH, or its double."""
        if real := os.environ.get("CML_BIN"):
            (self.folder / "bin" / "cml").symlink_to(real)
        else:
            self.program(DOUBLE.read_text().replace("/usr/bin/env python3", sys.executable, 1))

    def say(self, count: int) -> None:
        """Comments of another person."""
        for i in range(count):
            self.place.store.comment(self.number, "grace", f"word {i}")

    def stick(self, report: str, by_cml: bool = True, mark: str = MARK) -> str:
        """The one comment of ours after a report: what it says, without the watermark."""
        body = f"{mark}\n{report}\n"
        stick(self.forge, self.ci, self.place.clone, StickyComment(self.number, mark, body), by_cml, self.said.append)
        [ours] = [c for c in self.bodies(BOT) if c.startswith(f"{mark}\n")]
        assert without_watermark(ours) == body.rstrip(), "it is current"
        return ours

    def bodies(self, user: str) -> list[str]:
        return [c.body for c in self.place.store.comments_of(self.number) if c.user == user]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ForgeServer]:
    with forge_with_people(tmp_path, BOT, monkeypatch) as server:
        yield server


@pytest.fixture
def scene(place: ForgeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(place, tmp_path, monkeypatch)


def through_cml(body: str) -> bool:
    return "cml.dev/watermark.png" in body


def test_cml_posts_and_edits_the_one_comment(scene: Scene) -> None:
    scene.cml()
    assert through_cml(scene.stick("one")) and through_cml(scene.stick("two"))
    calls = len(scene.place.server.calls)
    scene.stick("two")
    assert [method for method, _ in scene.place.server.calls[calls:]] == ["GET"], "an equal report is not written again"
    assert through_cml(scene.stick("three", by_cml=False)), (
        "the API keeps the watermark, by which CML finds the comment"
    )
    assert through_cml(scene.stick("four")) and len(scene.bodies(BOT)) == 1 and scene.said == []
    assert not through_cml(scene.stick("other", by_cml=False, mark=marker("churn"))), "each marker has its own comment"


def test_the_title_of_the_watermark_has_nothing_that_cml_escapes() -> None:
    titles = {StickyComment(1, marker(name), "").title for name in ("flight_delay", "flight-delay", "a/b")}
    assert len(titles) == 3 and not set("".join(titles)) & set("_*[<")


def test_forty_comments_before_ours(scene: Scene) -> None:
    scene.cml()
    scene.say(40)
    assert not through_cml(scene.stick("one")), "CML reads the 30 oldest, so it would add a comment every time"
    scene.stick("two")
    assert len(scene.bodies(BOT)) == 1


def test_forty_comments_after_ours_leave_it_with_cml(scene: Scene) -> None:
    scene.cml()
    scene.stick("one")
    scene.say(40)
    assert through_cml(scene.stick("two")) and len(scene.bodies(BOT)) == 1


def test_a_stranger_with_our_marker_and_our_watermark_is_left_alone(scene: Scene) -> None:
    scene.cml()
    title = StickyComment(1, MARK, "").title
    forged = f'{MARK}\nmine\n\n![](https://cml.dev/watermark.png#{"a" * 40} "CML watermark {title}")'
    scene.place.store.comment(scene.number, "mallory", forged)
    scene.stick("one")
    scene.stick("two")
    assert scene.bodies("mallory") == [forged] and len(scene.bodies(BOT)) == 1


@pytest.mark.parametrize(
    "text", ["#!/bin/sh\nexit 0\n", "#!/bin/sh\necho hello\n", "#!/bin/sh\nexit 3\n", "no program"]
)
def test_a_program_called_cml_that_is_not_cml_gets_no_token(scene: Scene, text: str) -> None:
    seen = scene.folder / "environment"
    scene.program(text.replace("#!/bin/sh\n", f"#!/bin/sh\nenv >> {seen}\n"))
    assert not through_cml(scene.stick("one"))
    assert scene.said == [
        "The program cml does not say a version, so it gets no token; the forge's API is used instead."
    ]
    environment = seen.read_text() if seen.exists() else ""
    assert not any(secret in environment for secret in ("bot", "canary")), "no token and no key"


def test_a_program_that_says_a_version_and_posts_nothing_is_not_believed(scene: Scene) -> None:
    seen = scene.folder / "environment"
    scene.program(f"#!/bin/sh\nenv >> {seen}\necho 0.20.6\n")
    assert not through_cml(scene.stick("one")) and "not in a comment of ours" in scene.said[0]
    assert "REPO_TOKEN=bot" in seen.read_text() and "canary" not in seen.read_text(), "keys of the DVC remote stay here"


@pytest.mark.parametrize(("characters", "by_cml"), [(65_300, True), (65_500, False)])
def test_a_report_at_the_limit_of_characters(scene: Scene, characters: int, by_cml: bool) -> None:
    scene.cml()
    report = "x" * (characters - len(MARK) - 2)
    assert through_cml(scene.stick(report)) == by_cml, "with its watermark it is too long for one comment"
    assert by_cml == (not scene.said) and all("cml failed with exit code 1" in said for said in scene.said)


def test_a_cml_that_fails_does_not_show_the_token(scene: Scene) -> None:
    scene.program(
        '#!/bin/sh\n[ "$1" = --version ] && echo 0.20.6 && exit\necho "boom with $REPO_TOKEN in it" >&2\nexit 7\n'
    )
    scene.stick("one")
    assert scene.said == ["cml failed with exit code 7 (boom with *** in it); the forge's API is used instead."]


def test_without_cml_the_api_posts(scene: Scene) -> None:
    assert not through_cml(scene.stick("one", by_cml=False)) and scene.said == []


@given(st.text(max_size=60))
def test_a_watermark_leaves_nothing_of_itself(body: str) -> None:
    plain = without_watermark(body)
    mark = '![](https://cml.dev/watermark.png#aa "CML watermark modelyard-churn")'
    assert without_watermark(f"{body.rstrip()}\n\n{mark}\n") == plain and without_watermark(plain) == plain
