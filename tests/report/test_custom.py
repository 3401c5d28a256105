"""The team's own pages, read as blocks, and how the comment and the HTML report show them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.evidence.custom import (
    POINTS,
    Cell,
    CustomReport,
    Line,
    Page,
    Picture,
    Plot,
    confusion,
    line_of,
    picture_format,
)
from modelyard.report.content import Report
from modelyard.report.custom import Code, Grid, Heading, Items, Paragraph, Shown, blocks_of, inline, pictures_in
from modelyard.report.html.pictures import plot_figure, plot_picture
from modelyard.report.html.proposal import render_html
from modelyard.report.markdown.comment import LIMIT, render_comment
from modelyard.report.markdown.custom import plot_name
from report.proposals import report
from support.evidence import bundle

PNG = b"\x89PNG\r\n\x1a\n" + b"rest"
PAGE = """\
# What changed

The **delay** of `dep_time` is *new*
and counts.

- first
- second

1. one

| feature | gain |
|---|--:|
| `dep_time` | 0.4 |
| a \\| b |

![Confusion](./confusion.png)

```python
x = 1  # not a heading
```
"""
CUSTOM = CustomReport(
    pages=(Page("notes.md", PAGE),),
    pictures=(Picture("confusion.png", PNG),),
    plots=(
        Plot("loss", "step", "loss", (Line("champion", "loss", ((0, 1.0), (1, 0.5))), Line("candidate", "loss", ((0, 0.9), (1, 0.4))))),
        Plot("errors", "actual", "predicted", cells=(Cell("late", "on time", 12, 9),)),
    ),
)  # fmt: skip


def with_custom(custom: CustomReport | None = CUSTOM) -> Report:
    """A report that the team added something to."""
    return report(bundle(custom=custom))


def test_the_blocks_of_a_page() -> None:
    assert list(blocks_of(PAGE)) == [
        Heading(1, "What changed"),
        Paragraph("The **delay** of `dep_time` is *new* and counts."),
        Items(False, ("first", "second")),
        Items(True, ("one",)),
        Grid(("feature", "gain"), (("`dep_time`", "0.4"), ("a | b", ""))),
        Shown("confusion.png", "Confusion"),
        Code(("x = 1  # not a heading",)),
    ]
    assert list(inline("The **delay** of `a`")) == [("", "The "), ("bold", "delay"), ("", " of "), ("code", "a")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see ![x](a.png) here", [Paragraph("see ![x](a.png) here")]),
        ("<img src=x>", [Paragraph("<img src=x>")]),
        ("[a](https://x.example)", [Paragraph("[a](https://x.example)")]),
        ("~~~\n```\nx", [Code(("```", "x"))]),
        ("a | b\n--- | ---", [Grid(("a", "b"), ())]),
        ("a | b\n---", [Paragraph("a | b ---")]),
        ("", []),
    ],
)  # fmt: skip
def test_what_is_no_block_stays_text(text: str, expected: list[object]) -> None:
    assert list(blocks_of(text)) == expected


@given(st.text(alphabet="#*`|-_~![]()<>1.\n a\\", max_size=300))
def test_any_page_ends_in_blocks(text: str) -> None:
    blocks = list(blocks_of(text))
    widths = [(len(block.headings), {len(row) for row in block.rows}) for block in blocks if isinstance(block, Grid)]
    assert all(rows <= {width} for width, rows in widths)
    for block in blocks:
        if isinstance(block, Paragraph):
            kept = "".join(part for _, part in inline(block.text))
            assert re.sub("[*`\\s]", "", kept) == re.sub("[*`\\s]", "", block.text), "no word is lost"


def test_the_comment_has_the_words_under_the_verdict() -> None:
    shown = render_comment(with_custom()).body
    at = shown.index("<summary>The team's own report: notes.md</summary>")
    assert shown.index("## ") < at < shown.index("<summary>All metrics</summary>")
    for words in ("#### What changed", "The **delay** of `dep_time` is *new* and counts.", "| `dep_time` | 0.4 |",
                  "🖼 `confusion.png` Confusion (in the HTML report", " x = 1  # not a heading",
                  "| late | on time | 12 | 9 | -3 |", "| candidate | loss | 2 | 1 | 0.4000 |"):  # fmt: skip
        assert words in shown, words
    assert "did not check it" in shown and "custom" not in render_comment(with_custom(None)).body


def test_the_comment_shows_pictures_only_at_given_addresses() -> None:
    raw = "https://forge.example/raw/modelyard/evidence/churn/a/pictures"
    addresses = {"confusion.png": f"{raw}/1.png", plot_name(0): f"{raw}/2.svg"}
    shown = render_comment(with_custom(), addresses=addresses).body
    assert f"![Confusion]({raw}/1.png)" in shown and f"![loss]({raw}/2.svg)" in shown
    assert "](http" not in render_comment(with_custom(), addresses={"confusion.png": "javascript:alert(1)"}).body


def test_the_page_shows_everything_in_one_file() -> None:
    shown = render_html(with_custom())
    for words in ("<h4>What changed</h4>", "<b>delay</b>", "<code>dep_time</code>", "<li>first</li>", "<ol>", "x = 1  # not",
                  '<img src="data:image/png;base64,', "loss: loss by step", "on time"):  # fmt: skip
        assert words in shown, words


def test_a_long_page_is_left_out_of_the_comment_and_named() -> None:
    pages = tuple(Page(f"{i}.md", ("word " * 100 + "\n\n") * 39) for i in range(8))
    shown = render_comment(with_custom(replace(CUSTOM, pages=pages)))
    assert (
        len(shown.body) < LIMIT and "Left out, because comments have a size limit: the team's own report" in shown.body
    )
    assert "word word" in render_html(with_custom(replace(CUSTOM, pages=pages)))


def test_what_was_left_out_and_what_cannot_be_read_is_said() -> None:
    broken = replace(CUSTOM, left_out=("x.svg is too large.",), pictures=(Picture("p.png", b"<svg/>"),))
    for shown in (render_comment(with_custom(broken)).body.replace("\\", ""), render_html(with_custom(broken))):
        assert "x.svg is too large." in shown and "p.png is no PNG, JPEG, GIF or WebP picture" in shown
    assert "data:image" not in render_html(with_custom(broken))
    found = bundle()
    unreadable = replace(found, faults={"custom": "The custom evidence is not valid: too long."})
    assert "not valid: too long" in render_comment(report(unreadable)).body


def test_a_line_keeps_its_ends_and_drops_what_is_no_number() -> None:
    line = line_of("candidate", "loss", [(i, str(i)) for i in range(10_000)] + [(None, 1), ("x", 2), (1, "nan")])
    assert (
        line is not None and len(line.points) == POINTS and (line.points[0], line.points[-1]) == ((0, 0), (9999, 9999))
    )
    assert line_of("candidate", "loss", [("a", "b")]) is None


def test_a_confusion_matrix_counts_both_sides() -> None:
    cells = confusion({"champion": [("a", "a"), ("a", "b")], "candidate": [("a", "a"), ("b", "b")]})
    assert cells == (Cell("a", "a", 1, 1), Cell("a", "b", 1, 0), Cell("b", "b", 0, 1))
    assert confusion({"candidate": [("a", 1)]}) == (Cell("a", "1", None, 1),)


@pytest.mark.parametrize(
    ("content", "expected"),
    [(PNG, "png"), (b"\xff\xd8\xff\xe0", "jpeg"), (b"GIF89a", "gif"), (b"RIFF....WEBPVP8 ", "webp"),
     (b"<svg onload='alert(1)'>", ""), (b"%PDF-1.7", ""), (b"RIFF....WAVE", ""), (b"", "")],
)  # fmt: skip
def test_a_picture_is_what_its_bytes_say(content: bytes, expected: str) -> None:
    assert picture_format(content) == expected


@pytest.mark.parametrize(
    "points", [((0.0, 1.0),), ((1e308, -1e308), (-1e308, 1e308)), ((5.0, 5.0), (5.0, 5.0)), ((1e300, 2.0),)]
)
def test_every_finite_line_can_be_drawn(points: tuple[tuple[float, float], ...]) -> None:
    figure = plot_figure(Plot("t", "x", "y", (Line("candidate", "a", points),)))
    assert figure is not None and "nan" not in figure.svg and "inf" not in figure.svg.replace("info", "")


def test_no_picture_of_a_plot_without_numbers() -> None:
    assert plot_picture(Plot("t", "x", "y", (Line("candidate", "a", ((float("inf"), 1.0),)),))) == b""


def test_pictures_are_listed_once() -> None:
    assert pictures_in("![a](a.png)\n![a](./a.png) ![b](b.png)\n\n```\n![c](c.png)\n```") == ["a.png", "b.png"]
