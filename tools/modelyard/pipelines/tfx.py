"""TFX (its SDK, ``ml-pipelines-sdk``): one function component, called once for each stage."""

from __future__ import annotations

from modelyard.pipelines.generated import header, paths, quoted, run_stage
from modelyard.pipelines.interface import Plan, Step


class TFX:
    """The exporter for TFX."""

    def render(self, plan: Plan) -> str:
        """The file that defines the pipeline, and runs it with TFX's local runner when it is run."""
        called = "".join(_called(plan, step) for step in plan.steps)
        return (
            header(
                plan, "tfx", "TFX. Run this file with ROOT REPOSITORY COMMIT, or give pipeline(…) to another runner."
            )
            + "\nimport sys\n\n"
            + "from tfx.dsl.component.experimental.annotations import Parameter\n"
            + "from tfx.dsl.component.experimental.decorators import component\n"
            + "from tfx.orchestration import metadata\n"
            + "from tfx.orchestration.local.local_dag_runner import LocalDagRunner\n"
            + "from tfx.orchestration.pipeline import Pipeline\n\n\n"
            + "@component\n"
            + run_stage("Parameter[str]")
            + "\n\ndef pipeline(root: str, repository: str, commit: str) -> Pipeline:\n"
            + '    """The stages of one commit. root is a folder of TFX, repository a URL that steps can clone."""\n'
            + called
            # DVC knows whether a stage must run; TFX's own cache would not see a result that was deleted.
            + f"    return Pipeline(\n        pipeline_name={quoted(plan.model)},\n        pipeline_root=root,\n"
            + f"        components=[{', '.join(step.name for step in plan.steps)}],\n        enable_cache=False,\n"
            + "        metadata_connection_config="
            + 'metadata.sqlite_metadata_connection_config(f"{root}/metadata.db"),\n    )\n'
            + '\n\nif __name__ == "__main__":\n    LocalDagRunner().run(pipeline(*sys.argv[1:4]))\n'
        )


def _called(plan: Plan, step: Step) -> str:
    lines = [
        f"    {step.name} = run_stage(repository=repository, commit=commit, "
        f"model={quoted(plan.model)}, stage={quoted(step.stage)}).with_id({quoted(step.name)})\n",
        *(f"    {step.name}.add_upstream_node({earlier})\n" for earlier in step.after),
    ]
    return paths(step) + "".join(lines)
