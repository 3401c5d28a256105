"""Kubeflow Pipelines (KFP SDK 2): one lightweight component, called once for each stage."""

from __future__ import annotations

from modelyard.errors import ModelyardError
from modelyard.pipelines.generated import header, paths, quoted, run_stage
from modelyard.pipelines.interface import Plan, Step


class Kubeflow:
    """The exporter for Kubeflow Pipelines."""

    def render(self, plan: Plan) -> str:
        """The file that defines the pipeline, and compiles it when it is run. ModelyardError without an image."""
        if not plan.resources.image:
            raise ModelyardError(
                f"models/{plan.model}/model.yaml names no container image for the steps of Kubeflow.",
                "Add resources: {image: …}. The image holds git, modelyard, kfp and the packages of the stages.",
            )
        called = "\n".join(_called(plan, step) for step in plan.steps)
        return (
            header(
                plan, "kubeflow", "Kubeflow Pipelines. Run this file: it writes PIPELINE.yaml, or the file you name."
            )
            + "\nimport sys\n\nfrom kfp import compiler, dsl\n\n\n"
            + f"@dsl.component(base_image={quoted(plan.resources.image)}, install_kfp_package=False)\n"
            + run_stage()
            + f"\n\n@dsl.pipeline(name={quoted(_kfp_name(plan.model))})\n"
            + "def pipeline(repository: str, commit: str):\n"
            + '    """Runs the stages of one commit. repository is a URL that the steps can clone."""\n'
            + called
            + '\n\nif __name__ == "__main__":\n'
            + '    compiler.Compiler().compile(pipeline, sys.argv[1] if len(sys.argv) > 1 else "PIPELINE.yaml")\n'
        )


def _called(plan: Plan, step: Step) -> str:
    wanted = plan.resources
    # DVC knows whether a stage must run. KFP's own cache would not see a result that was deleted from the remote.
    settings = [".set_caching_options(False)", f".set_display_name({quoted(step.stage)})"]
    if wanted.cpu:
        settings.append(f'.set_cpu_request("{wanted.cpu:g}").set_cpu_limit("{wanted.cpu:g}")')
    if wanted.memory:
        settings.append(f'.set_memory_request("{wanted.memory}").set_memory_limit("{wanted.memory}")')
    if wanted.gpu:
        settings.append(f'.set_accelerator_type("nvidia.com/gpu").set_accelerator_limit({wanted.gpu})')
    lines = [
        f"    {step.name} = run_stage(repository=repository, commit=commit, "
        f"model={quoted(plan.model)}, stage={quoted(step.stage)})\n",
        *(f"    {step.name}{setting}\n" for setting in settings),
    ]
    if step.after:
        lines.append(f"    {step.name}.after({', '.join(step.after)})\n")
    return paths(step) + "".join(lines)


def _kfp_name(model: str) -> str:
    """A name that KFP takes: lower-case letters, digits and hyphens."""
    return model.lower().replace("_", "-")
