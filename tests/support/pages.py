"""The pages of docs/ that are made of classes: ``make docs`` writes them, test_docs.py compares them.

A failure's sentence is what the gate says of evidence that fails, so a page cannot promise another one.
"""

from __future__ import annotations

import re
import textwrap
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import msgspec
from modelyard.evidence.artifact import Artifact
from modelyard.evidence.verdict import Finding
from modelyard.flavors.discovery import BUILT_IN, flavor_named
from modelyard.flavors.formats import SAFE_FORMATS
from modelyard.gate.findings import find
from modelyard.gate.watches import find_watch
from modelyard.manifests.check import METRIC_TASKS, Check
from modelyard.manifests.conversion import convert
from modelyard.manifests.document import parse_document
from modelyard.manifests.policy import AnyCheck, Policy
from modelyard.manifests.rules import tasks_of
from modelyard.manifests.watches import AnyWatch
from modelyard.metrics.folds import FoldMetric, Stability
from modelyard.metrics.held_out import HoldoutChange
from modelyard.metrics.intervals import Interval
from modelyard.metrics.window import Burn, Confidence
from production.windows import column, days, drift, outlier_rate, realised, window

from support.evidence import DRIFT, EVALUATION, bundle, metric
from support.yard import POLICIES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
WIDTH = 120
TARGETS = ("local", "container", "mlserver", "mlflow", "bentoml", "kserve", "seldon", "sagemaker")
_SHARED = ("id", "why", "tasks", "only_with", "level")
_BEGIN, _END = "<!-- generated: {} -->", "<!-- end -->"


def pages() -> dict[Path, str]:
    """Every page, or page with a part, that is made of classes."""
    found = {DOCS / "checks" / f"{kind}.md": _rule_page(kind, rule) for kind, rule in RULES.items()}
    found[DOCS / "checks" / "README.md"] = _index()
    flavors = DOCS / "flavors.md"
    text = flavors.read_text(encoding="utf-8")
    for name, part in (("flavors", _flavors()), ("matrix", _matrix())):
        text = _put(text, name, part)
    found[flavors] = text
    return found


def _put(text: str, name: str, part: str) -> str:
    begin = _BEGIN.format(name)
    head, rest = text.split(begin)
    return f"{head}{begin}\n{part}\n{_END}{rest.split(_END, 1)[1]}"


# --- rules --------------------------------------------------------------------------------------------------------


def _kinds(union: Any) -> dict[str, type[Check]]:
    return {str(kind.__struct_config__.tag): kind for kind in get_args(union)}


CHECKS, WATCHES = _kinds(AnyCheck), _kinds(AnyWatch)
RULES = CHECKS | WATCHES


def _packs() -> Iterator[tuple[AnyCheck | AnyWatch, str]]:
    """Every rule of the policy packs, with its lines."""
    for name in ("standard", "regulated"):
        content = (POLICIES / f"{name}.yaml").read_bytes()
        document, lines = parse_document(content, name), content.decode().splitlines()
        policy = convert(Policy, document)
        for place, rules in (("checks", policy.checks), ("monitoring", policy.monitoring)):
            for i, rule in enumerate(rules):
                begin = document.line((place, i)) - 1
                end = next((n for n in range(begin, len(lines)) if not lines[n].strip()), len(lines))
                yield rule, textwrap.dedent("\n".join(lines[begin:end]))


EXAMPLES = {kind: next((rule, text) for rule, text in _packs() if type(rule) is cls) for kind, cls in RULES.items()}
"""Kind → the first rule of that kind in the policy packs."""


def _failures() -> dict[str, Callable[[Any], Finding]]:
    """Kind → what fails its example."""

    def evaluated(**changes: Any) -> Callable[[Any], Finding]:
        return lambda rule: find(rule, bundle(evaluation=replace(EVALUATION, **changes)))

    def watched(**changes: Any) -> Callable[[Any], Finding]:
        return lambda rule: find_watch(rule, window(**changes))

    slices = replace(EVALUATION.slices[0], level="east", metrics=(metric("auc", 0.71, 0.78, 0.01),))
    gap = EVALUATION.fairness[0]
    wide = {
        "candidate": 0.2,
        "interval": Interval(0.16, 0.24),
        "champion": 0.05,
        "change": 0.15,
        "change_interval": Interval(0.11, 0.19),
    }
    wider = tuple(replace(g, **wide) for g in gap.gaps)  # type: ignore[arg-type]
    drifted = tuple(replace(c, state="drifted", alarm=True) for c in DRIFT.columns)
    folds = Stability(("a", "b"), (500, 500), (FoldMetric("auc", (0.7, 0.82), 0.76, 0.085),))
    assert EVALUATION.calibration
    return {
        "evidence": lambda rule: find(rule, bundle(drift=None)),
        "artifact": lambda rule: find(rule, bundle(scan=Artifact("pickle", 1234, None))),
        "rows": evaluated(rows=420, positives=35),
        "threshold": evaluated(metrics=(metric("auc", 0.61, None),)),
        "champion": evaluated(metrics=(metric("auc", 0.71, 0.74, 0.004),)),
        "slices": evaluated(slices=(slices,), metrics=(metric("auc", 0.74, 0.74),)),
        "fairness": evaluated(fairness=(replace(gap, gaps=wider),)),
        "calibration": evaluated(calibration=replace(EVALUATION.calibration, expected_error=0.12)),
        "holdout": evaluated(holdout_change=HoldoutChange("v1.2.0", rows=6000, kept=5990, relabelled=40, removed=10, added=500)),
        "leakage": evaluated(leakage=replace(EVALUATION.leakage, overlap=3)),
        "stability": evaluated(stability=folds),
        "contract": evaluated(inputs_removed=("age",)),
        "drift": lambda rule: find(rule, bundle(drift=replace(DRIFT, columns=drifted))),
        "inputs": watched(drift=drift(column("age", alarm=True), column("region", alarm=True), column("amount"))),
        "scores": watched(drift=drift(column("p", role="score", js=0.21, p_value=1e-6))),
        "outliers": watched(outliers=outlier_rate(900)),
        "confidence": watched(confidence=Confidence(0.71, 0.83)),
        "service": lambda rule: find_watch(rule, window(burns=(Burn(rule.id, 9000, 1800, 20.0, 18.0, None, None),))),
        "traffic": watched(days=days(5, 9, 0, 7, 6)),
        "quality": watched(accepted={"auc": 0.74}, realised=realised("auc", 0.66, 0.01)),
        "ground_truth": watched(realised=realised("auc", 0.7, 0.01, missing=400, due=1000, oldest_missing_days=9.0)),
    }  # fmt: skip


def _rule_page(kind: str, rule: type[Check]) -> str:
    example, text = EXAMPLES[kind]
    finding = _failures()[kind](example)
    assert finding.outcome not in ("pass", "waived"), f"{kind}: {finding.sentence}"
    where = "checks" if kind in CHECKS else "monitoring"
    body = [
        f"# `kind: {kind}`", "", *_wrapped(_docstring(rule)), "",
        *_wrapped(f"A rule under `{where}:` of a policy. It is for {_tasks(example)}." + _reads(rule)), "",
    ]  # fmt: skip
    body += ["```yaml", text, "```", ""]
    body += ["| field | value | default | meaning |", "|---|---|---|---|"]
    body += [_row(name, told) for name, told in _fields(rule) if name not in _SHARED]
    body += ["", "`id`, `why`, `tasks`, `only_with` and `level` are those of [every rule](README.md#every-rule).", ""]
    body += ["## A failure", "", *_wrapped(f"*{finding.outcome}*: {finding.sentence}", "> "), ""]
    body += ["## What to do", "", *_wrapped(rule.mend), ""]
    return "\n".join(body)


def _index() -> str:
    body = [
        "# Checks and monitoring rules", "",
        *_wrapped("A policy (`policies/<name>.yaml`) has rules of these kinds. Each page has the fields with their units, the tasks,"
                  " an example, the sentence of a failure, and what to do about it. The pages are made of the classes in"
                  " `tools/modelyard/manifests/policy.py` and `watches.py` by `make docs`."), "",
        *_wrapped("The packs `standard` and `regulated` hold for binary, multiclass, regression and ranking models. `standard` needs"
                  " nothing declared. `regulated` needs `evaluation.slices`, and of binary models `evaluation.groups`. `validate`"
                  " refuses a rule that can never be judged for a model that uses the policy."), "",
    ]  # fmt: skip
    for title, kinds in (("Checks of candidates", CHECKS), ("Monitoring rules of served versions", WATCHES)):
        body += [f"## {title}", "", "| kind | passes when | tasks |", "|---|---|---|"]
        body += [
            f"| [`{kind}`]({kind}.md) | {_docstring(rule)} | {_tasks(EXAMPLES[kind][0], rule)} |"
            for kind, rule in kinds.items()
        ]
        body.append("")
    body += ["## Every rule", "", "| field | value | default | meaning |", "|---|---|---|---|"]
    body += [_row(name, told) for name, told in _fields(CHECKS["evidence"]) if name in _SHARED]
    body += ["", "## Metrics", "", "| metric | tasks |", "|---|---|"]
    body += [f"| `{name}` | {', '.join(tasks)} |" for name, tasks in METRIC_TASKS.items()]
    body += ["", *_wrapped("[Definitions](../measurements.md). `average_precision` and `recall_at_precision` are not measured for"
                           " slices and folds.")]  # fmt: skip
    return "\n".join([*body, ""])


def _tasks(example: Check, rule: type[Check] | None = None) -> str:
    """The tasks that a kind is judged for."""
    tasks = rule.judges if rule else type(example).judges
    if len(tasks) == 4:
        return (
            "every task"
            if rule
            else "models of every task"
            + (", as far as the metric is measured for it" if len(tasks_of(example)) < 4 else "")
        )
    return (
        ", ".join(tasks) if rule else f"{' and '.join([', '.join(tasks[:-1]), tasks[-1]]).removeprefix(' and ')} models"
    )


def _reads(rule: type[Check]) -> str:
    if rule.reads is None:
        return ""
    place = "files.folds" if rule.reads == "folds" else f"evaluation.{rule.reads}"
    return f" The model declares `{place}`; with `only_with: [{rule.reads}]` the rule is not for models without."


def _fields(rule: type[Check]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Field → its JSON schema, with ``required``."""
    _, components = msgspec.json.schema_components([rule])
    whole = components[rule.__name__]
    required = set(whole.get("required", ()))
    for name, told in whole["properties"].items():
        if name != "kind":
            yield name, {**told, "required": name in required}


def _row(name: str, told: dict[str, Any]) -> str:
    default = "required" if told["required"] else _default(name, told.get("default"))
    options = told.get("anyOf", [told])
    meaning = told.get("description") or next((o["description"] for o in options if "description" in o), "")
    return f"| `{name}` | {_value(name, told)} | {default} | {meaning.replace('|', '/')} |"


def _default(name: str, value: Any) -> str:
    if name == "formats":
        return "all of the flavors' formats"
    if value is None:
        return "no limit" if name.startswith(("maximum", "minimum")) else "–"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`" if value != [] else "empty"


def _value(name: str, told: dict[str, Any]) -> str:
    if name == "metric":
        return "one of the [metrics](README.md#metrics)"
    told = next((o for o in told.get("anyOf", ()) if o.get("type") != "null"), told)
    if "$ref" in told:
        return "fields"
    if "enum" in told:
        return ", ".join(f"`{value}`" for value in told["enum"])
    if told.get("type") == "array":
        inner = told["items"]
        listed = ", ".join(f"`{value}`" for value in inner["enum"]) if "enum" in inner else "names"
        return f"list of {listed}"
    kinds = {"number": "number", "integer": "whole number", "boolean": "`true` or `false`", "string": "text"}
    words = kinds.get(told.get("type", ""), "")
    low, high = told.get("minimum"), told.get("maximum")
    if low is not None and high is not None:
        return f"{words}, {low:g} to {high:g}"
    if low is not None:
        words += f", at least {low:g}"
    elif "exclusiveMinimum" in told:
        words += f", above {told['exclusiveMinimum']:g}"
    if "s|m|h|d" in told.get("pattern", ""):
        return "a time such as `90s`, `15m`, `24h` or `7d`"
    return words + _unit(name)


def _unit(name: str) -> str:
    units = {"milliseconds": "milliseconds", "bytes": "bytes", "days": "days", "rows": "rows", "labels": "labels"}
    unit = next((unit for word, unit in units.items() if name.endswith(word)), "")
    if name in ("margin", "minimum", "maximum", "maximum_deviation"):
        unit = unit or "in the metric's unit"
    if name in ("minimum_per_class", "maximum_overlap"):
        unit = "rows"
    return f", {unit}" if unit else ""


def _docstring(rule: type[Check]) -> str:
    return " ".join((rule.__doc__ or "").split())


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


# --- flavors ------------------------------------------------------------------------------------------------------


def _extras() -> dict[str, list[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: dict[str, list[str]] = {}
    for extra, requirements in project["optional-dependencies"].items():
        found[extra] = [
            re.split(r"[>=\[; ]", requirement)[0] for requirement in requirements if "== 'darwin'" not in requirement
        ]
    return found


def _flavors() -> str:
    extras = _extras()
    rows = [
        "| flavor | extra | installs | formats | recognised by the endings | tolerance |",
        "|---|---|---|---|---|---|",
    ]
    for name in BUILT_IN:
        flavor = flavor_named(name)
        installs = ", ".join(f"`{package}`" for package in extras.get(flavor.extra, ())) or "–"
        formats = ", ".join(f"`{form}`" for form in flavor.formats) or "any"
        endings = ", ".join(f"`{ending}`" for ending in flavor.endings) or "–; name it"
        extra = f"`modelyard[{flavor.extra}]`" if flavor.extra else "–"
        rows.append(f"| `{name}` | {extra} | {installs} | {formats} | {endings} | {_plain(flavor.tolerance)} |")
    others = ", ".join(
        f"`{form}`" for form in SAFE_FORMATS if not any(form in flavor_named(n).formats for n in BUILT_IN)
    )
    return "\n".join([*rows, "", *_wrapped(f"A team's own scorer may also read {others}, which run no code either.")])


def _plain(tolerance: float) -> str:
    return f"{tolerance:g}".replace("e-0", "e-")


def _matrix() -> str:
    rows = [f"| flavor | score | explain | {' | '.join(TARGETS)} |", "|---" * (len(TARGETS) + 3) + "|"]
    for name in BUILT_IN:
        flavor = flavor_named(name)
        assert set(flavor.hosts) <= set(TARGETS), name
        hosts = " | ".join(flavor.hosts.get(target, "–") for target in TARGETS)
        rows.append(f"| `{name}` | yes | {'yes' if flavor.explains else '–'} | {hosts} |")
    return "\n".join(rows)


def write() -> None:
    """Writes every page; what is generated in docs/flavors.md stands between two comments."""
    for path, text in pages().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
