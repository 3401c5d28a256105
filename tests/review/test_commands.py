"""The grammar of comment commands: what is not exactly it is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.errors import UsageError
from modelyard.review.commands import is_order, parse_order


@pytest.mark.parametrize(
    ("comment", "verb", "values"),
    [
        ("/modelyard explain", "explain", {}),
        ("  /modelyard retrain model=churn \n", "retrain", {"model": "churn"}),
        ("/modelyard promote env=production", "promote", {"env": "production"}),
        ("/modelyard promote env=production version=v1.2.0", "promote", {"env": "production", "version": "v1.2.0"}),
        ("/modelyard rollback to=v1.0.0", "rollback", {"to": "v1.0.0"}),
        (
            '/modelyard waive check=auc until=2026-12-31 reason="Seasonal, agreed"',
            "waive",
            {"check": "auc", "until": "2026-12-31", "reason": "Seasonal, agreed"},
        ),
    ],
)
def test_what_is_understood(comment: str, verb: str, values: dict[str, str]) -> None:
    order = parse_order(comment)
    assert (order.verb, order.values) == (verb, values)


@pytest.mark.parametrize(
    ("comment", "said"),
    [
        ("/modelyard", "no command"),
        ("/modelyard merge", "no command"),
        ("/modelyardexplain", "no command"),
        ("/modelyard promote", "needs env"),
        ("/modelyard promote env=prod extra", "not key=value"),
        ("/modelyard promote env=prod env=prod", "twice"),
        ("/modelyard promote env=prod who=me", "has no who"),
        ("/modelyard promote env=$(id)", "not key=value"),
        ("/modelyard promote env=../../x", "not key=value"),
        ("/modelyard promote env=a.b", "no name"),
        ("/modelyard rollback to=latest", "no version"),
        ('/modelyard waive check=a until=2026-02-31 reason="x"', "no day"),
        ('/modelyard waive check=a until=soon reason="x"', "no day"),
        ('/modelyard waive check=a until=2026-01-01 reason="a\\"b"', "not key=value"),
        ("/modelyard explain\nrm -rf /", "one line"),
        ("/modelyard explain\r\n/modelyard retrain", "one line"),
        ("/modelyard explain " + "x" * 3000, "one line"),
    ],
)
def test_what_is_not(comment: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_order(comment)


@given(st.text(max_size=200))
def test_any_text_is_an_order_or_a_usage_error(text: str) -> None:
    for comment in (text, f"/modelyard {text}", f"/modelyard promote env={text}", f'/modelyard waive reason="{text}"'):
        try:
            order = parse_order(comment)
        except UsageError:
            continue
        assert is_order(comment) and all(value and "\n" not in value for value in order.values.values())


@given(st.from_regex(r"[A-Za-z0-9 .,|@<>$()`;&*/'-]{1,80}", fullmatch=True))
def test_a_quoted_reason_arrives_as_it_was_written(reason: str) -> None:
    order = parse_order(f'/modelyard waive check=auc until=2026-12-31 reason="{reason}"')
    assert order.values["reason"] == reason
