"""The steps that make a candidate's evidence: retrain, evaluate, drift, scan. Each writes one document."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from modelyard.candidate.baselines import baselines_of
from modelyard.candidate.ci_locks import is_foreign_lock
from modelyard.candidate.custom import custom_report
from modelyard.candidate.drift import DriftOptions, drift_of
from modelyard.candidate.evaluation import evaluate
from modelyard.candidate.files import Candidate
from modelyard.candidate.given import check_out_given, write_scores
from modelyard.candidate.holdout import require_pinned_rows
from modelyard.candidate.lineage import describe_training
from modelyard.candidate.reference import write_profile
from modelyard.candidate.reproduction import repinned_stages, reproduce_candidate
from modelyard.candidate.workspace import PROFILE, TRACKED, Workspace
from modelyard.checkout.artifacts import fetch_version
from modelyard.checkout.checkout import ModelView
from modelyard.checkout.imports import imports_of
from modelyard.checkout.trust import sniff_file
from modelyard.evidence.artifact import Artifact, rounded_up
from modelyard.evidence.statement import Kind, write_statement
from modelyard.files import restored_unless_done
from modelyard.flavors.formats import PICKLE
from modelyard.metrics.drift import Drift
from modelyard.metrics.evaluation import Evaluation
from modelyard.progress import Progress, no_progress
from modelyard.scoring.scorer import try_artifact
from modelyard.scoring.signature import flavor_of

_ROWS = 50


@dataclass(frozen=True)
class Retrained:
    """The result of running the pipeline."""

    artifact: str
    """sha256"""
    reproduced: bool
    """Whether any stage ran."""
    commit: str
    seconds: float


class CandidateRun:
    """One model of this checkout, measured step by step."""

    def __init__(self, view: ModelView, say: Callable[[str], None]) -> None:
        self.view, self.candidate = view, Candidate.of(view)
        self._git, self._dvc, self._root = view.checkout.git, view.checkout.dvc, view.checkout.root
        self._name, self._say = view.name, say
        self._workspace = Workspace(view)

    @property
    def generated(self) -> list[str]:
        """The files that retraining writes and git tracks, as paths from the root: lock, metrics, profile."""
        return [f"models/{self._name}/{name}" for name in (*TRACKED, self.candidate.model.files.profile)]

    def sources(self) -> list[str]:
        """Pointers to the model's imported data, made by ``dvc import-url`` and ``dvc import``."""
        return [path for path in imports_of(self._git, "HEAD", self._name) if (self._root / path).is_file()]

    def retrain(
        self,
        *,
        push: bool = True,
        force: bool = False,
        commit: bool = False,
        news: bool = False,
        trusted: str | None = None,
    ) -> Retrained:
        """Pulls cached data, runs changed stages, profiles and pushes. ``news`` checks imports for new content.

        ``trusted``: a revision. Where HEAD has another dvc.lock, and no run of CI left that one, all stages run.

        When it fails or is stopped, the files that git tracks are as they were.
        """
        pipeline = f"models/{self._name}/dvc.yaml"
        # DVC deletes the outputs of a stage before it runs, also those that git tracks.
        tracked = [*self._git.tracked(f"models/{self._name}"), *self.generated, *(self.sources() if news else ())]
        with restored_unless_done(self._root / path for path in tracked):
            why = "" if force else self._suspicion(trusted)
            return self._retrained(pipeline, push=push, force=force, commit=commit, news=news, why=why)

    def _retrained(self, pipeline: str, *, push: bool, force: bool, commit: bool, news: bool, why: str) -> Retrained:
        self._workspace.clear()
        begun, ran = time.monotonic(), False
        if self.candidate.trained_here:
            ran = self._reproduced(pipeline, force=force, news=news, why=why)
        else:
            self._say(f"{self._name} was trained elsewhere, so there is nothing to train. Its files come from DVC …")
            check_out_given(self.candidate, self._dvc)
            try_artifact(self.candidate.model, self.candidate.artifact, self.candidate.folder)
            write_scores(self.candidate)
        seconds = time.monotonic() - begun
        artifact = self.candidate.sha256()
        write_profile(self.candidate)
        if push and self._dvc.has_remote():
            self._dvc.push(pipeline)
        root = self._root
        there = [path for path in self.generated if (root / path).is_file()]
        if commit:
            self._git.commit(there, f"{self._name}: retrained")
        names = {f"models/{self._name}/{self.candidate.model.files.profile}": PROFILE}
        self._workspace.write_generated(
            {names.get(path, path.rpartition("/")[2]): (root / path).read_bytes() for path in there}
        )
        training = describe_training(self.candidate, self._git, ran)
        self._keep("training", training)
        return Retrained(artifact, ran, training.commit, seconds)

    def _suspicion(self, trusted: str | None) -> str:
        """Why the outputs that dvc.lock pins are not taken for those of its stages; '' where they are."""
        if not self._merged() and (stages := repinned_stages(self.view)):
            return (
                f"dvc.lock pins other outputs of {', '.join(stages)} than a registered version has, for the same"
                " command, inputs and parameters."
            )
        if trusted is not None and is_foreign_lock(self.view, trusted):
            return "No run of CI left this dvc.lock."
        return ""

    def _reproduced(self, pipeline: str, *, force: bool, news: bool, why: str) -> bool:
        """Pulls the cached data and runs the stages that changed, or all with ``force`` or ``why``; whether any ran."""
        self._say(f"Pulling the cached data of {self._name} …")
        self._dvc.pull(pipeline)
        if news and (sources := self.sources()):
            self._say(f"Checking {len(sources)} data {'import' if len(sources) == 1 else 'imports'} for new content …")
            self._dvc.update(sources)
        if why:
            self._say(f"{why} So every stage runs again.")
        self._say(f"Running {pipeline} …")
        return self._dvc.reproduce(pipeline, force=force or bool(why), say=self._say)

    def measure(self) -> None:
        """Evaluates, compares the data and scans what ``retrain`` made."""
        self._say(f"Evaluate {self._name} …")
        self.evaluate()
        self.drift()
        self.scan()

    def evaluate(self, champion: str | None = None) -> Evaluation:
        """The evaluation against a champion: that version, or by default the one that the last environment serves."""
        version = self.view.version(champion) if champion else self.view.champion
        require_pinned_rows(self.candidate)
        with ExitStack() as stack:
            opponent = stack.enter_context(fetch_version(self.view, version, holdout=True)) if version else None
            policy = self.view.rules(datetime.now(UTC).date()).policy
            fetched = {str(version.version): opponent} if version and opponent else {}
            baselines = {}
            for name, known in baselines_of(self.view, policy).items():
                number = str(known.version)
                if number not in fetched:
                    fetched[number] = stack.enter_context(fetch_version(self.view, known))
                baselines[name] = fetched[number]
            found = evaluate(self.candidate, opponent, baselines)
        self._keep("evaluation", found.evaluation)
        self._keep("probe", found.probe)
        if custom := custom_report(self.view, self.candidate, version.commit if version else None):
            self._keep("custom", custom)
        else:
            self._workspace.remove_evidence("custom")
        return found.evaluation

    def drift(self, options: DriftOptions | None = None, progress: Progress = no_progress) -> Drift:
        """The data drift of the held-out rows. Results of other tables are not evidence and are not written."""
        options = options or DriftOptions()
        drift = drift_of(self.candidate, self._git, self.view.champion, options, self._say, progress)
        if options.current is None and options.reference is None:
            self._keep("drift", drift)
        return drift

    def scan(self) -> Artifact:
        """The scan of the artifact."""
        found = scan(self.candidate)
        self._keep("artifact", found)
        return found

    def reproduce(self, *, ci: bool = False) -> None:
        """Runs every stage once more, beside this checkout, where ``register`` will ask for it.

        ``ci``: whether this is a run of CI, which does so too for a lock that none left; ``register`` tells the result.
        """
        policy = self.view.rules(datetime.now(UTC).date()).policy
        wanted = policy.reproduced == "required" or repinned_stages(self.view) or (ci and is_foreign_lock(self.view))
        if not self.candidate.trained_here or not wanted:
            return
        if self._git.uncommitted(f"models/{self._name}", "data"):
            self._say(f"{self._name} differs from HEAD, so it is not run a second time; register will ask for that.")
            return
        reproduce_candidate(self.view, self._say)

    def _merged(self) -> bool:
        """Whether HEAD is on the default branch, whose lock is compared with a second run instead of replaced."""
        branch = self.view.checkout.default_ref
        return self._git.ref(branch) is not None and self._git.is_ancestor(self._git.commit_of("HEAD"), branch)

    def documents(self) -> dict[str, bytes]:
        """Kind → the evidence that was written."""
        return self._workspace.documents()

    def _keep(self, kind: Kind, value: Any) -> None:
        self._workspace.write_evidence(kind, write_statement(kind, self._name, self.candidate.sha256(), value))


def scan(candidate: Candidate) -> Artifact:
    """The artifact evidence of the candidate.

    Only what is read without running code, or by the repository's own scorer, is loaded; only what is served is timed.
    """
    found, flavor = sniff_file(candidate.artifact), flavor_of(candidate.model)
    if found in flavor.formats:
        try_artifact(candidate.model, candidate.artifact, candidate.folder)
    loaded = found in flavor.formats or (flavor.own_code and found != PICKLE)
    milliseconds = _row_milliseconds(candidate) if loaded and flavor.hosts else None
    return Artifact(found, candidate.artifact.stat().st_size, milliseconds)


def _row_milliseconds(candidate: Candidate) -> float | None:
    table = candidate.holdout()
    columns = table.columns(candidate.signature.inputs, "the contract in model.yaml")
    times = []
    with candidate.load(threads=1) as scorer:
        for row in range(min(_ROWS, table.rows)):
            one = {name: values[row : row + 1] for name, values in columns.items()}
            begun = time.perf_counter()
            scorer.score(one)
            times.append((time.perf_counter() - begun) * 1000)
    return rounded_up(statistics.median(times)) if times else None
