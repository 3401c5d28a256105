"""Merging by simulation: 20 green proposals of one model, in random orders, judged by the gate's own rules.

Three ways to merge are played minute by minute: the verdict of the opening stands; verdicts are taken back when the
champion changes, and measured again; a merge queue. ``run.py merging`` takes ORDERS from the environment.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from pathlib import Path

from clock import Figure
from modelyard.gate.judge import judge
from modelyard.gate.standing import outdated
from modelyard.manifests.conversion import convert
from modelyard.manifests.document import parse_document
from modelyard.manifests.policy import Policy
from support.evidence import EVALUATION, bundle, metric

ORDERS = 1_000
PROPOSALS = 20
MARGIN = 0.01
MODEL = "churn"
_POLICY = parse_document(
    f"""\
name: standard
description: d
checks:
  - {{id: auc-against-champion, kind: champion, metric: auc, margin: {MARGIN}, why: w}}
""".encode(),
    "policies/standard.yaml",
)
_RULES = convert(Policy, _POLICY)
_FIRST = 0.70
"""True AUC of the champion at the beginning; proposal i has that plus i × 0.0015, so every one is green then."""
_STEP = 0.0015
_MEASURE, _REGISTER, _DEPLOY, _NOTICE = 6, 10, 12, 1
"""Minutes: a measurement; from a merge to the tag, and to the change of the champion; to the first look."""
_WAIT, _LONGEST = 30, 90
"""Minutes that an entry of a queue waits after what is before it was merged, and before that."""
_DAY = 24 * 60
_END = 30 * _DAY


def merging(scratch: Path) -> list[Figure]:
    """Versions refused after their merge or worse than the champion by more than the margin; proposals that stall."""
    orders = int(os.environ.get("ORDERS", ORDERS))
    ways: dict[str, tuple[Callable[[Sequence[int], random.Random], Told], float | None]] = {
        "the opening's verdict stands": (_standing, None),
        "verdicts are taken back": (_taken_back, None),
        "a queue, one build at a time": (lambda order, chance: _queued(order, chance, 1), 0.0),
        "a queue, five builds at a time": (lambda order, chance: _queued(order, chance, 5), 0.0),
    }
    figures = []
    for name, (way, bound) in ways.items():
        told = Told()
        for number in range(orders):
            chance = random.Random(number)  # noqa: S311
            order = list(range(PROPOSALS))
            chance.shuffle(order)
            told += way(order, chance)
        most = 0.0 if name != "the opening's verdict stands" else None
        again = f"{told.again / orders:.2f} queued or measured again"
        print(f"  {name}: {told.merged / orders:.2f} of {PROPOSALS} merged, {again}")
        figures += [
            Figure(f"{name}: refused after the merge, of all merged", told.refused / max(1, told.merged), bound),
            Figure(f"{name}: registered, worse by more than the margin", told.worse / max(1, told.merged), most),
            Figure(f"{name}: proposals without an answer", float(told.stalled), 0.0),
        ]
    return figures


@dataclass
class Told:
    """Counts over proposals."""

    merged: int = 0
    refused: int = 0
    """Refused by main after the merge."""
    worse: int = 0
    """Registered although truly worse than the champion of that moment by more than the margin."""
    stalled: int = 0
    again: int = 0

    def __iadd__(self, other: Told) -> Told:
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self


@cache
def _passes(candidate: int, champion: int) -> bool:
    """The gate's verdict on a proposal against a champion (-1: the first one), by their true AUC and an interval."""
    metrics = (metric("auc", _auc(candidate), _auc(champion)), *EVALUATION.metrics[1:])
    evaluation = replace(EVALUATION, champion=_name(champion), metrics=metrics)
    verdict = judge(_RULES, _POLICY, bundle(evaluation=evaluation), (), date(2026, 5, 3))
    return verdict.outcome == "pass"


def _auc(proposal: int) -> float:
    return _FIRST + _STEP * (proposal + 1)


def _name(champion: int) -> str:
    return f"v1.{champion + 1}.0"


@dataclass
class _Main:
    """The default branch: what is merged is registered and deployed, one after the other."""

    told: Told = field(default_factory=Told)
    champion: int = -1
    coming: list[int] = field(default_factory=list)
    """Merged, oldest first; the first is in work."""
    since: int = 0

    def merge(self, proposal: int, now: int) -> None:
        self.told.merged += 1
        self.coming.append(proposal)
        if len(self.coming) == 1:
            self.since = now

    def minute(self, now: int) -> bool:
        """One minute of the deploy workflow; whether a run of it has ended."""
        if not self.coming:
            return False
        candidate = self.coming[0]
        if now == self.since + _REGISTER and not _passes(candidate, self.champion):
            self.told.refused += 1
        elif now == self.since + _DEPLOY:
            if _passes(candidate, self.champion):
                self.told.worse += _auc(candidate) < _auc(self.champion) - MARGIN
                self.champion = candidate
            self.coming.pop(0)
            self.since = now
            return True
        return False


def _standing(order: Sequence[int], chance: random.Random) -> Told:
    main = _Main()
    times = sorted(chance.sample(range(_DAY), PROPOSALS))
    for now in range(_DAY + PROPOSALS * _DEPLOY + 1):
        main.minute(now)
        while times and times[0] == now:
            times.pop(0)
            main.merge(order[PROPOSALS - len(times) - 1], now)
    return main.told


@dataclass
class _Open:
    """An open pull request, with the verdict in force."""

    proposal: int
    attempt: int
    state: str = "success"
    compared: int = -1
    measuring: int | None = None
    """The minute in which a measurement began."""


def _taken_back(order: Sequence[int], chance: random.Random) -> Told:
    main = _Main()
    times = sorted(chance.sample(range(_DAY), PROPOSALS))
    pulls = [_Open(proposal, attempt) for proposal, attempt in zip(order, times, strict=True)]
    for now in range(_END):
        ended = main.minute(now)
        for pull in pulls:
            begins = bool(main.coming) and now == main.since + _NOTICE
            if pull.state != "failure" and (begins or ended):
                awaited = [MODEL] if begins else []
                if outdated({MODEL: _name(pull.compared)}, {MODEL: _name(main.champion)}, awaited):
                    pull.state = "pending"
            if pull.state == "pending" and pull.measuring is None and ended:
                pull.measuring, pull.compared = now, main.champion
                main.told.again += 1
            if pull.measuring is not None and now == pull.measuring + _MEASURE:
                pull.measuring = None
                if outdated({MODEL: _name(pull.compared)}, {MODEL: _name(main.champion)}):
                    pull.measuring, pull.compared = now, main.champion
                    main.told.again += 1
                else:
                    pull.state = "success" if _passes(pull.proposal, pull.compared) else "failure"
        for pull in [pull for pull in pulls if pull.attempt <= now]:
            if pull.state == "success":
                main.merge(pull.proposal, now)
                pulls.remove(pull)
            elif pull.state == "failure":
                pulls.remove(pull)  # refused before its merge
            else:
                pull.attempt = now + 15
        if not pulls and not main.coming:
            break
    main.told.stalled += len(pulls)
    return main.told


@dataclass
class _Entry:
    """An entry of a merge queue."""

    proposal: int
    started: int | None = None
    measuring: int | None = None
    merged: int | None = None
    """The minute in which what is before it was on main."""
    compared: int = -1
    passed: bool = False


def _queued(order: Sequence[int], chance: random.Random, builds: int) -> Told:
    main, queue = _Main(), list[_Entry]()
    times = sorted(chance.sample(range(_DAY), PROPOSALS))
    arrivals = list(zip(times, order, strict=True))
    for now in range(_END):
        main.minute(now)
        while arrivals and arrivals[0][0] <= now:
            queue.append(_Entry(arrivals.pop(0)[1]))
        for place, entry in enumerate(list(queue[:builds])):
            ahead = place > 0
            entry.started = now if entry.started is None else entry.started
            entry.merged = now if entry.merged is None and not ahead else entry.merged
            if entry.merged is None and now >= entry.started + _LONGEST:
                queue.remove(entry)
                arrivals = sorted([*arrivals, (now + 15, entry.proposal)])  # its author queues it again
                main.told.again += 1
                continue
            if (
                entry.measuring is None
                and entry.merged is not None
                and (not main.coming or now >= entry.merged + _WAIT)
            ):
                entry.measuring, entry.compared = now, main.champion
            if entry.measuring is not None and now == entry.measuring + _MEASURE:
                if outdated({MODEL: _name(entry.compared)}, {MODEL: _name(main.champion)}):
                    queue.remove(entry)
                    arrivals = sorted([*arrivals, (now + 15, entry.proposal)])
                    main.told.again += 1
                elif _passes(entry.proposal, entry.compared):
                    entry.passed = True
                else:
                    queue.remove(entry)  # refused before its merge
        if queue and queue[0].passed:
            main.merge(queue.pop(0).proposal, now)
        if not queue and not arrivals and not main.coming:
            break
    main.told.stalled += len(queue) + len(arrivals)
    return main.told
