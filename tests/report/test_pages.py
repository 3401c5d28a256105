"""The HTML pages: every value of every template is escaped, and every branch of every template is drawn."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from modelyard.errors import ModelyardError
from modelyard.git import TagRef
from modelyard.registry.history import ModelHistory, read_registry
from modelyard.registry.tags import StageRecord, VersionRecord, write_record
from modelyard.report.html import page, proposal, site, window
from modelyard.report.html.figure import Figure
from modelyard.report.html.page import Link, Table
from modelyard.report.html.proposal import render_html
from modelyard.report.html.site import Desired, ModelPage, index_page, model_page, sync, window_verdict
from modelyard.report.html.window import render_monitoring_html
from report import samples

HOSTILE = """<img src=x onerror=alert(1)>"' onload=alert(2) &lt; {{ 7 * 191 }} {% raw %} <script>alert(3)</script>"""
HTML = Path(page.__file__).parent
TEMPLATES = sorted((HTML / "templates").glob("*.j2"))
ELEMENTS = {
    "html", "head", "meta", "title", "style", "script", "body", "div", "h1", "h2", "h3", "p", "b", "pre", "span", "a",
    "header", "nav", "main", "footer", "label", "input", "ul", "li", "time", "code", "figure", "figcaption", "svg", "rect", "img",
    "line", "circle", "polyline", "path", "text", "g", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
PAGES: dict[str, Callable[[str], str]] = {
    "proposal": lambda text: render_html(samples.report(text)),
    "first version": lambda text: render_html(samples.first_version(text)),
    "window": lambda text: render_monitoring_html(*samples.window(text)),
    "index": lambda text: index_page(text, ["staging", text], [samples.model_page(text, text)]),
    "model": lambda text: model_page(text, ["staging", text], samples.model_page(text, text), "<p>A card.</p>"),
}


@cache
def drawn_of(name: str) -> str:
    """A page with plain text; drawing one takes a tenth of a second."""
    return PAGES[name]("word")


class Elements(HTMLParser):
    """Elements with their attributes, and the text between them."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(str(content))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("name", PAGES)
def test_hostile_text_stays_text_wherever_a_page_shows_text(name: str) -> None:
    drawn = Elements(PAGES[name](HOSTILE))
    plain = Elements(drawn_of(name))
    assert [tag for tag, _ in drawn.found] == [tag for tag, _ in plain.found], "no text makes or ends an element"
    assert {tag for tag, _ in drawn.found} <= ELEMENTS
    for (tag, attributes), (_, expected) in zip(drawn.found, plain.found, strict=True):
        assert attributes.keys() == expected.keys(), f"text made an attribute of {tag}"
        assert not any(key.startswith("on") for key in attributes)
        if tag == "img":
            assert re.fullmatch("data:image/png;base64,[A-Za-z0-9+/=]+", attributes["src"] or "")
        if tag == "a":
            assert not (attributes["href"] or "").lower().startswith(("javascript:", "data:"))
    assert "<script>alert(3)</script>" in drawn.text and "{{ 7 * 191 }}" in drawn.text and "1337" not in drawn.text


def test_the_samples_give_every_template_a_value_for_every_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, list[dict[str, Any]]] = {}

    def kept(template: str, **values: Any) -> str:
        seen.setdefault(template, []).append(values)
        return ""

    for module in (proposal, window, site):
        monkeypatch.setattr(module, "render", kept)
    for draw in PAGES.values():
        draw("word")
    assert len(seen) == 4
    for template, contexts in seen.items():
        for name in contexts[0]:
            assert any(filled(context[name]) for context in contexts), f"{template}: {name} is empty in every sample"


def filled(value: Any) -> bool:
    if isinstance(value, dict):
        return all(filled(part) for key, part in value.items() if key not in ("figure", "table", "model")) or not value
    return bool(value)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_turns_escaping_off(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert not re.search(r"\|\s*safe|autoescape|Markup|xmlattr", source)
    assert not re.search(r"=\s*\{\{", source), "an attribute without quotes"
    for element in ("style", "script"):
        for inner in re.findall(rf"<{element}[^>]*>(.*?)</{element}>", source, re.S):
            assert "{{" not in inner, f"a value in <{element}>, where HTML escaping does not help"


def test_the_environment_escapes_and_refuses_unknown_names() -> None:
    environment = page._environment()
    assert environment.autoescape is True
    assert environment.from_string("{{ a }}").render(a="<b>") == "&lt;b&gt;"
    with pytest.raises(Exception, match="'b' is undefined"):
        environment.from_string("{{ b }}").render(a="<b>")


@pytest.mark.parametrize("path", sorted(HTML.glob("*.py")), ids=lambda path: path.name)
def test_python_holds_values_and_no_html(path: Path) -> None:
    """SVG is drawn in Python, of figures only; no module but page.py marks text as safe."""
    source = path.read_text(encoding="utf-8")
    drawn = path.name in ("figure.py", "pictures.py", "site_pictures.py")
    allowed = (
        {"svg", "rect", "img", "line", "circle", "polyline", "path", "text", "title", "g", "style"} if drawn else set()
    )
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert set(re.findall(r"</?([a-z]+[1-6]?)\b", node.value)) <= allowed
    assert ("Markup(" in source) == (path.name == "page.py")


def test_a_page_is_one_file_in_both_schemes() -> None:
    drawn = drawn_of("index")
    assert drawn.startswith("<!doctype html>") and drawn.endswith("</html>\n")
    assert "prefers-color-scheme: dark" in drawn and "src=" not in drawn and "@import" not in drawn


@pytest.mark.parametrize("name", ["window", "model"])
def test_equal_values_give_equal_bytes(name: str) -> None:
    assert PAGES[name]("word") == drawn_of(name)


def test_columns_with_the_same_heading_are_all_drawn() -> None:
    drawn = Elements(page._draw(Table(["fold", "fold", ""], [["1", "2", "3"]])))
    assert [tag for tag, _ in drawn.found].count("td") == 3 and "1" in drawn.text and "2" in drawn.text


def test_a_link_in_a_table_is_escaped_and_a_cell_cannot_pretend_to_be_one() -> None:
    drawn = Elements(page._draw(Table(["a"], [[Link("<b>", 'x" onclick="y')], ["\ue0000\ue000"]])))
    [(_, attributes)] = [found for found in drawn.found if found[0] == "a"]
    assert attributes == {"href": 'x" onclick="y'} and "<b>" in drawn.text
    assert "0" in drawn.text.split()


def test_a_figure_names_itself_for_screen_readers() -> None:
    drawn = PAGES["model"](HOSTILE)
    for tag, attributes in Elements(drawn).found:
        if tag == "svg":
            assert attributes["role"] == "img" and attributes["aria-label"]
    assert page._svg(Figure("<svg></svg>", "x")) == "<svg></svg>"


def test_pages_of_what_is_not_there_yet() -> None:
    empty = ModelPage("churn", ModelHistory("churn"), None, (), None, {}, ())
    drawn = model_page("Models", [], empty, "")
    for said in ("The model is not deployed.", "There is no monitored window.", "No version has metrics.",
                 "There is no version.", "There are no events.", "There is no waiver.", "its folder is gone"):  # fmt: skip
        assert said in drawn
    assert "There is no model." in index_page("Models", [], [])
    bare = render_monitoring_html(*samples.window("word", realised=None, days=(), burns=(), estimate=None, drift=None))
    assert "There is no ground truth." in bare and "Burn rate" not in bare and "<h2>Drift" not in bare


def test_latest_is_in_sync_where_it_skips_a_rolled_back_version() -> None:
    back = StageRecord("v1.0.0", blocked="b", rollout="r")
    records = {"v1.0.0": VersionRecord("a"), "v1.1.0": VersionRecord("b")}
    commits = {"v1.0.0": "1" * 40, "v1.1.0": "2" * 40}
    tags = [TagRef(f"churn@{n}", True, commits[n], 1, "ada", write_record("", made)) for n, made in records.items()]
    tags.append(TagRef("churn#staging#2", True, commits["v1.0.0"], 2, "ada", write_record("", back)))
    history = read_registry(tags).history("churn")
    shown = ModelPage("churn", history, None, (), None, {}, ())
    period = shown.serving["staging"]
    assert sync(Desired("staging", "latest"), shown, period) == "in sync"
    assert sync(Desired("staging", "latest", ("churn#staging#2",)), shown, period) == "out of sync"
    assert sync(Desired("staging", "v1.1.0"), shown, period) == "out of sync"


def test_the_state_of_a_deployment_and_of_a_window() -> None:
    shown = samples.model_page("churn", "word")
    period = shown.serving["staging"]
    first, second = (Desired("staging", version) for version in ("v1.0.0", "v1.1.0"))
    latest = Desired("staging", "latest", [rollback.tag for rollback in shown.history.rollbacks()])
    assert sync(latest, shown, period) == sync(second, shown, period) == "in sync"
    assert sync(first, shown, period) == "out of sync" and sync(first, shown, None) == "not deployed"
    assert window_verdict(None) == "not monitored"
    assert window_verdict(shown.windows[0]).startswith("fail: word") and "(2026-05-08)" in window_verdict(
        shown.windows[0]
    )


@pytest.mark.parametrize("module", ["jinja2", "great_tables"])
def test_a_missing_package_names_the_extra(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    page._environment.cache_clear()
    with pytest.raises(ModelyardError, match="not installed") as caught:
        PAGES["window"]("word")
    assert "modelyard[report]" in caught.value.remedy
    page._environment.cache_clear()
