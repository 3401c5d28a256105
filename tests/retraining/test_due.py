"""A retraining that is due opens one pull request with its reasons; one that is not due, or is held, opens none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from forge.place import forge_with_people
from support.logged import MODEL, Flights, write_ground_truth, write_log
from support.yard import commit_all, git, tool

BOT = "github-actions[bot]"
ROWS = np.random.default_rng(1).permutation(27_900).tolist()[:600]
WINDOW = ("--window", "7d", "--until", "2026-05-08T00:00")


def edit(yard: Path, name: str, before: str, after: str) -> None:
    file = yard / name
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after, 1))


def test_labelled_rows_make_a_retraining_due_and_its_budget_holds_the_next(
    champion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(champion, "modelyard.yaml", "forge: git", "forge: github")
    with forge_with_people(tmp_path, BOT, monkeypatch) as server:
        store = server.store
        for key, value in (("SERVER_URL", server.url), ("API_URL", f"{server.url}/api/v3"),
                           ("REPOSITORY", store.name), ("TOKEN", "bot")):  # fmt: skip
            monkeypatch.setenv(f"GITHUB_{key}", value)
        git(champion, "remote", "add", "origin", str(store.path(store.name)))
        rules = "retrain: {new_rows: 500, budget: {runs: 1}}"
        with (champion / f"models/{MODEL}/model.yaml").open("a") as manifest:
            manifest.write(f"\n{rules}\n")
        edit(champion, f"models/{MODEL}/params.yaml", "trees: 40", "trees: 120")
        commit_all(champion, "More trees, and when to retrain")
        git(champion, "push", "--quiet", "origin", "main", "--tags")

        def proposed(*more: str) -> str:
            return tool(champion, "propose", MODEL, *more, expect=None).stdout

        assert "Nothing is due" in proposed("--cause", "due")
        assert not store.pulls

        flights = Flights(champion)
        write_log(champion, flights.entries(ROWS))
        ground_truth = write_ground_truth(champion, flights, ROWS)
        tool(
            champion, "feedback", "collect", MODEL, "--env", "production", *WINDOW, "--ground-truth", str(ground_truth)
        )
        [feedback] = store.pulls.values()
        store.merge(feedback.number, "grace")
        git(champion, "pull", "--quiet", "--no-rebase", "origin", "main")

        assert "opened pull request" in proposed("--cause", "due")
        pull = next(p for p in store.pulls.values() if p.branch == f"modelyard/retrain/{MODEL}")
        assert "600 labelled rows are newer than v1.0.0" in pull.body and "trigger at 500" in pull.body
        assert "0 of 1 runs in 30d" in pull.body and "expected gain" in pull.body and "of training on" in pull.body
        assert "held. The budget is used up: 1 of 1 runs in 30d." in proposed("--cause", "due")
        assert "held. The budget is used up" in proposed("--cause", "schedule")
        assert "unchanged pull request" in proposed("--cause", "manual"), "a manual run is never held"
        assert len(store.pulls) == 2
