"""Values of every type that reports show, filled to the last field, with one text wherever a text may stand."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from modelyard.documents import encode
from modelyard.evidence.bundle import Bundle
from modelyard.evidence.production import ShownMonitoring, ShownWindow
from modelyard.evidence.training import Changes
from modelyard.evidence.verdict import Verdict
from modelyard.gate.backtest import Backtest
from modelyard.gate.waivers import WaiverState
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.manifests.names import Version
from modelyard.metrics.window import Monitoring
from modelyard.registry.history import Assignment, ModelHistory, RegisteredVersion, Withdrawal
from modelyard.registry.lineage import Lineage
from modelyard.registry.numbering import Numbering
from modelyard.registry.tags import StageRecord, VersionRecord, WithdrawalRecord
from modelyard.report.content import Report
from modelyard.report.html.site import Desired, ModelPage
from support.yard import MODEL_YAML

T = TypeVar("T")
AT = 1_777_593_600


def filled(kind: type[T], text: str, /, **given: Any) -> T:
    """An instance of a dataclass or Struct with two entries in every sequence and ``text`` in every text."""
    made: T = _struct(kind, text, given)
    return made


def _struct(kind: Any, text: str, given: Mapping[str, Any] = {}) -> Any:
    hints = get_type_hints(kind)
    fields = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else msgspec.structs.fields(kind)
    return kind(**{f.name: given.get(f.name, _value(hints[f.name], text)) for f in fields})


def _value(kind: Any, text: str) -> Any:
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _value(args[0], text)
    if origin is Literal:
        return args[1]  # of an outcome: fail, which is said at length
    if origin is tuple and args[-1] is not Ellipsis:
        return tuple(_value(one, text) for one in args)
    if origin in (tuple, Sequence, list):
        return (_value(args[0], text), _value(args[0], text))
    if origin in (dict, Mapping):
        return {text: _value(args[1], text)}
    if kind is date:
        return date(2026, 5, 31)
    if kind is str:
        return text
    if kind not in (Any, object) and issubclass(kind, str):
        return Version(text)
    if kind is bytes:
        return b"\x89PNG\r\n\x1a\n" + text.encode()  # a picture, by its first bytes
    if kind is bool:
        return True
    if kind is int:
        return 1234
    if kind is float:
        return 0.5
    return text if kind in (Any, object) else _struct(kind, text)


def report(text: str, **given: Any) -> Report:
    """A report on a candidate with every part that a report can have."""
    parts: dict[str, Any] = {
        "verdict": filled(Verdict, text),
        "bundle": filled(Bundle, text),
        "commit": text,
        "owners": (text,),
        "changes": filled(Changes, text),
        "backtest": filled(Backtest, text),
        "numbering": filled(Numbering, text),
    }
    return Report(**parts | given)


def first_version(text: str) -> Report:
    """The same without a champion: slices are a table, and there is no difference to draw."""
    whole = report(text)
    assert whole.bundle.evaluation is not None
    evaluation = dataclasses.replace(whole.bundle.evaluation, champion=None, champion_calibration=None)
    return report(text, bundle=dataclasses.replace(whole.bundle, evaluation=evaluation))


def window(text: str, **given: Any) -> tuple[str, Monitoring, Verdict]:
    """A model, a window of it in production, and the verdict."""
    moment = "2026-05-08T00:00:00Z"
    return text, filled(Monitoring, text, since=moment, until=moment, **given), filled(Verdict, text)


def _tagged(record: msgspec.Struct) -> str:
    return f"tagged\n\n{encode(record).decode()}"


def history(name: str, text: str) -> ModelHistory:
    """Two versions, each served for a while, and one that is withdrawn; their records hold ``text``."""
    numbers = [Version(f"v1.{minor}.0") for minor in range(3)]
    versions = [
        filled(
            RegisteredVersion,
            text,
            version=number,
            at=AT + i * 86400,
            # The first one was imported; such a version is never the latest.
            message=_tagged(filled(VersionRecord, text, params={}, imported="" if i else text)),
        )
        for i, number in enumerate(numbers)
    ]
    assigned = [
        filled(Assignment, text, environment=place, version=numbers[i], at=AT + i * 86400, message=_tagged(filled(StageRecord, text)))
        for i in range(2) for place in ("staging", text)
    ]  # fmt: skip
    gone = filled(
        Withdrawal, text, version=numbers[2], at=AT + 3 * 86400, message=_tagged(filled(WithdrawalRecord, text))
    )
    return ModelHistory(name, tuple(versions[:2]), tuple(assigned), (gone,), (versions[2],), AT + 3 * 86400, 4)


def model_page(name: str, text: str) -> ModelPage:
    """A model's page with everything a page can show."""
    manifest = parse(Model, MODEL_YAML.format(name="churn").encode(), "model.yaml")
    monitoring = filled(ShownMonitoring, text, until="2026-05-08T00:00:00Z", accepted={text: 0.7})
    shown = filled(ShownWindow, text, monitoring=monitoring)
    return ModelPage(
        name=name,
        history=history(name, text),
        manifest=msgspec.structs.replace(manifest, description=text, owners=(text,), lifecycle=text),
        desired=(Desired("staging", "latest"), Desired(text, text)),
        lineage=filled(Lineage, text, model=name, version=Version("v1.1.0")),
        reports={"v1.0.0": f"reports/{text}.html"},
        waivers=(filled(WaiverState, text),),
        windows=(shown, shown),
    )
