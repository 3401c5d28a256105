"""The syntax of comment commands: everything else is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.errors import UsageError
from modelyard.review.commands import is_command, parse_command


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
    command = parse_command(comment)
    assert (command.verb, command.values) == (verb, values)


@pytest.mark.parametrize(
    ("comment", "said"),
    [
        ("/modelyard", "not a comment command"),
        ("/modelyard merge", "not a comment command"),
        ("/modelyardexplain", "not a comment command"),
        ("/modelyard promote", "needs the key env"),
        ("/modelyard promote env=prod extra", "not of the form key=value"),
        ("/modelyard promote env=prod env=prod", "twice"),
        ("/modelyard promote env=prod who=me", "has no key who"),
        ("/modelyard promote env=$(id)", "not of the form key=value"),
        ("/modelyard promote env=../../x", "not of the form key=value"),
        ("/modelyard promote env=a.b", "not a valid name"),
        ("/modelyard rollback to=latest", "not a valid version"),
        ('/modelyard waive check=a until=2026-02-31 reason="x"', "not a valid date"),
        ('/modelyard waive check=a until=soon reason="x"', "not a valid date"),
        ('/modelyard waive check=a until=2026-01-01 reason="a\\"b"', "not of the form key=value"),
        ("/modelyard explain\nrm -rf /", "one line"),
        ("/modelyard explain\r\n/modelyard retrain", "one line"),
        ("/modelyard explain " + "x" * 3000, "one line"),
    ],
)
def test_what_is_not(comment: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_command(comment)


@given(st.text(max_size=200))
def test_any_text_is_a_command_or_a_usage_error(text: str) -> None:
    for comment in (text, f"/modelyard {text}", f"/modelyard promote env={text}", f'/modelyard waive reason="{text}"'):
        try:
            command = parse_command(comment)
        except UsageError:
            continue
        assert is_command(comment) and all(value and "\n" not in value for value in command.values.values())


@given(st.from_regex(r"[A-Za-z0-9 .,|@<>$()`;&*/'-]{1,80}", fullmatch=True))
def test_a_quoted_reason_arrives_as_it_was_written(reason: str) -> None:
    command = parse_command(f'/modelyard waive check=auc until=2026-12-31 reason="{reason}"')
    assert command.values["reason"] == reason
