"""The site in a real browser: from files, without the network, by keyboard, in light and dark mode."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from modelyard.evidence.statement import write_statement
from playwright.sync_api import Browser, Page, sync_playwright
from support.versions import add_stage, add_version, artifact_of, opened
from support.waiting import SECONDS
from support.yard import commit_all, git, small_repository, tool

HOSTILE = "<img src=x onerror=document.title='pwned'> [a](javascript:alert(1))"


def window(folder: Path, day: str, realised: float) -> None:
    """A window of churn in production as monitor files it; what the site does not show is left out."""
    fails = realised < 0.65
    checks = ({"id": "quality-kept", "level": "soft", "outcome": "fail" if fails else "pass"},
              {"id": HOSTILE, "level": "advisory", "outcome": "fail"})  # fmt: skip
    metrics = ({"name": "auc", "candidate": realised},)
    monitoring = {"environment": "production", "version": "v1.1.0", "since": f"2026-04-{day}T00:00:00Z", "rows": 5000,
                  "until": f"2026-05-{day}T00:00:00Z", "realised": {"labelled": 900, "metrics": metrics},
                  "accepted": {"auc": 0.71}}  # fmt: skip
    predicate = {"monitoring": monitoring, "verdict": {"outcome": "fail" if fails else "pass", "checks": checks}}
    artifact = artifact_of("churn", "v1.1.0")
    path = f"churn/{artifact}/monitoring/production/202604{day}T000000Z-202605{day}T000000Z.json"
    opened(folder).evidence.append({path: write_statement("monitoring", "churn", artifact, predicate)}, "a window")


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = small_repository(tmp_path_factory.mktemp("site") / "yard", ("churn", "price"))
    manifest = folder / "models/price/model.yaml"
    manifest.write_text(
        manifest.read_text().replace("A test model.", f"'{HOSTILE.replace(chr(39), '')}'") + f"card: |\n  {HOSTILE}\n"
    )
    for minor in range(3):
        add_version(folder, "churn", f"v1.{minor}.0", metrics={"auc": 0.7 + minor / 100, "log_loss": 0.5 - minor / 100})
        add_stage(folder, "churn", f"v1.{minor}.0", "staging")
    add_stage(folder, "churn", "v1.1.0", "production")
    add_version(folder, "price", "v1.0.0", by=HOSTILE, reasons=(HOSTILE,))
    add_stage(folder, "price", "v1.0.0", "staging")
    opened(folder).evidence.file_evidence(
        "churn",
        artifact_of("churn", "v1.2.0"),
        {},
        {"report.html": b"<h1>Report of v1.2.0</h1>"},
        "report",
    )
    for day, realised in (("01", 0.71), ("08", 0.69), ("15", 0.6)):
        window(folder, day, realised)
    (folder / "deployments/production").mkdir()
    (folder / "deployments/production/churn.yaml").write_text("model: churn\nversion: v1.2.0\n")
    (folder / "waivers").mkdir()
    (folder / "waivers/one.yaml").write_text(
        f'model: churn\ncheck: calibrated\nartifact: "{"a" * 64}"\nreason: was urgent\nrequested_by: ada\n'
        "approved_by: grace\nexpires: 2020-01-31\n"
    )
    commit_all(folder, "waive")
    return folder


@pytest.fixture(scope="module")
def site(yard: Path) -> Path:
    tool(yard, "site", "--out", "../site", "--title", "Our models")
    return yard.parent / "site"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert program, "the browser tests need chromium on the PATH: apt-get install chromium"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
            timeout=1000 * SECONDS,
        )
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails the test when it requests more than files, or logs an error."""
    opened = browser.new_page()
    opened.set_default_timeout(1000 * SECONDS)
    asked: list[str] = []
    errors: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    opened.close()
    assert all(url.startswith("file://") for url in asked), asked
    assert errors == []


def rows(page: Page) -> list[list[str]]:
    return [
        row.locator("td").all_inner_texts()
        for row in page.locator("main .table").first.locator("tbody tr:visible").all()
    ]


def test_the_index_shows_deployments_and_leads_to_a_report(page: Page, site: Path) -> None:
    page.goto((site / "index.html").as_uri())
    assert page.title() == "Our models"
    found = {(row[0], row[1]): row[2:5] for row in rows(page)}
    assert found["churn", "staging"] == ["latest", "v1.2.0", "in sync"]
    assert found["churn", "production"] == ["v1.2.0", "v1.1.0", "out of sync"]
    assert "1" in page.locator(".tile", has_text="out of sync").inner_text()
    assert "was urgent" in page.locator("main").inner_text() and "expired" in page.locator("main").inner_text()
    page.get_by_role("link", name="churn").first.click()
    assert page.title() == "churn · Our models"
    assert page.locator("svg[role=img]").count() >= 4  # rollouts, two metrics, lineage
    assert "auc ↑: 0.7200 in v1.2.0, higher is better" in page.locator("figcaption").all_inner_texts()
    page.get_by_role("link", name="report").first.click()
    assert page.locator("h1").inner_text() == "Report of v1.2.0"


def test_the_windows_of_a_version_are_shown(page: Page, site: Path) -> None:
    page.goto((site / "index.html").as_uri())
    found = {(row[0], row[1]): row[5] for row in rows(page)}
    assert found["churn", "production"] == "fail: quality-kept (2026-05-15)"
    assert found["churn", "staging"] == found["price", "staging"] == "not monitored"
    page.goto((site / "models/churn.html").as_uri())
    shown = page.get_by_role("region", name="Windows in production").locator("tbody tr").all_inner_texts()
    assert [line.split("\t") for line in shown] == [
        ["2026-05-15 00:00", "v1.1.0", "5,000", "fail", "quality-kept", "0.6000", "0.7100"],
        ["2026-05-08 00:00", "v1.1.0", "5,000", "pass", "", "0.6900", "0.7100"],
        ["2026-05-01 00:00", "v1.1.0", "5,000", "pass", "", "0.7100", "0.7100"],
    ]
    assert (
        "auc by window with labels, and the baseline of the version; ✗: a monitoring rule failed"
        in page.locator("figcaption").all_inner_texts()
    )
    page.goto((site / "models/price.html").as_uri())
    assert "There is no monitored window" in page.locator("main").inner_text()


def test_a_new_window_changes_one_page_only(yard: Path, tmp_path: Path) -> None:
    copy, out = tmp_path / "yard", tmp_path / "out"
    shutil.copytree(yard, copy)
    tool(copy, "site", "--out", str(out))
    assert "written: 0" in tool(copy, "site", "--out", str(out)).stderr
    window(copy, "22", 0.7)
    assert "written: 1" in tool(copy, "site", "--out", str(out)).stderr
    assert "2026-05-22 00:00" in (out / "models/churn.html").read_text()


def test_every_link_has_a_target(page: Page, yard: Path, tmp_path: Path) -> None:
    copy = tmp_path / "yard"
    shutil.copytree(yard, copy)
    git(copy, "tag", "-a", "cv/sub=seg@v0.1.0", "-m", "by hand, in a folder of its own")
    tool(copy, "site", "--out", str(tmp_path / "out"))
    for file in sorted((tmp_path / "out").rglob("*.html")):
        page.goto(file.as_uri())
        for link in page.locator("a").all():
            target = link.evaluate("link => link.href.split('#')[0]")
            assert Path(unquote(urlparse(target).path)).is_file(), f"{file.name}: {target}"
    assert (tmp_path / "out/models/cv~sub=seg.html").is_file()


def test_the_site_works_by_keyboard(page: Page, site: Path) -> None:
    page.goto((site / "index.html").as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("/")
    page.keyboard.type("price")
    assert [row[0] for row in rows(page)] == ["price"]
    page.keyboard.press("Escape")
    assert len(rows(page)) == 3
    reached = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.getAttribute('href')"))
    assert {"#events", "#waivers", "models/churn.html"} <= reached


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_light_and_dark_phone_and_desktop(page: Page, site: Path, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 900})
    for name in ("index.html", "models/churn.html"):
        page.goto((site / name).as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} scrolls sideways as a whole"
        ink, paper = page.evaluate(
            "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
        )
        assert contrast(ink, paper) >= 4.5
        link = page.evaluate("getComputedStyle(document.querySelector('nav a')).color")
        assert contrast(link, paper) >= 4.5
        assert (luminance(paper) < 0.5) == (scheme == "dark")
    heights = page.evaluate(
        "[...document.querySelectorAll('svg text')].map(text => text.getBoundingClientRect().height)"
    )
    assert heights and min(heights) >= 10, "figures are not scaled down until nobody can read them"
    name, bar = page.evaluate(
        "['rect.current + text.on', 'rect.current'].map(it => getComputedStyle(document.querySelector(it)).fill)"
    )
    assert contrast(name, bar) >= 4.5


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, two: str) -> float:
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


def test_texts_of_people_are_escaped(page: Page, site: Path) -> None:
    for name in ("index.html", "models/price.html"):
        page.goto((site / name).as_uri())
        page.wait_for_timeout(100)
        assert "pwned" not in page.title()
        assert page.locator("img").count() == 0
        assert page.locator("a[href^='javascript']").count() == 0
    assert "onerror" in page.locator("main").inner_text()


def test_only_what_changed_is_written_again(yard: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    assert "models: 2, pages written: 2" in tool(yard, "site", "--out", out).stderr
    assert "models: 2, pages written: 0" in tool(yard, "site", "--out", out).stderr
    copy = tmp_path / "yard"
    shutil.copytree(yard, copy)
    add_stage(copy, "price", "v1.0.0", "production")
    assert "models: 2, pages written: 1" in tool(copy, "site", "--out", out).stderr
    (tmp_path / "out/models/churn.html").unlink()
    (tmp_path / "out/.site.json").write_text("half a fi")
    assert "models: 2, pages written: 2" in tool(copy, "site", "--out", out).stderr
    shutil.rmtree(copy / "models/churn")
    commit_all(copy, "gone")
    tool(copy, "site", "--out", out)
    assert "its folder is gone" in (tmp_path / "out/models/churn.html").read_text(), "its tags are still shown"
    assert set(json.loads((tmp_path / "out/.site.json").read_text())) == {"churn", "price"}


def test_the_same_repository_gives_the_same_site(yard: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        tool(yard, "site", "--out", str(tmp_path / name), "--title", "Same")
    for file in sorted((tmp_path / "a").rglob("*.html")):
        assert file.read_bytes() == (tmp_path / "b" / file.relative_to(tmp_path / "a")).read_bytes()
