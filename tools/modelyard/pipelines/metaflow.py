"""Metaflow: one step for each stage, one after the other.

Metaflow joins every split again, which the stages of DVC need not do; so the steps stand in one line.
"""

from __future__ import annotations

from modelyard.pipelines.generated import header, paths, quoted, run_stage
from modelyard.pipelines.interface import Plan, Step

_BYTES = {"Mi": 1024**2, "Gi": 1024**3, "Ti": 1024**4}


class Metaflow:
    """The exporter for Metaflow."""

    def render(self, plan: Plan) -> str:
        """The file with the flow."""
        following = [*(step.name for step in plan.steps[1:]), "end"]
        steps = "".join(_step(plan, step, then) for step, then in zip(plan.steps, following, strict=True))
        return (
            header(plan, "metaflow", "Metaflow. Run this file: run --repository URL --commit SHA.")
            + "\nfrom metaflow import FlowSpec, Parameter, resources, step\n\n\n"
            + run_stage()
            + f"\n\nclass {flow_name(plan.model)}(FlowSpec):\n"
            + '    """Runs the stages of one commit."""\n\n'
            + '    repository = Parameter("repository", required=True, help="A URL that the steps can clone.")\n'
            + '    commit = Parameter("commit", required=True, help="The commit to run.")\n\n'
            + f"    @step\n    def start(self):\n        self.next(self.{plan.steps[0].name})\n\n"
            + steps
            + "    @step\n    def end(self):\n        pass\n"
            + f'\n\nif __name__ == "__main__":\n    {flow_name(plan.model)}()\n'
        )


def flow_name(model: str) -> str:
    """The class of a model's flow; Metaflow names the WorkflowTemplate of Argo after it, in lower case."""
    joined = "".join(part.capitalize() for part in model.replace("_", "-").split("-"))
    return f"{'' if joined[:1].isalpha() else 'Model'}{joined}Flow"


def _step(plan: Plan, step: Step, then: str) -> str:
    wanted = plan.resources
    asked = [f"cpu={wanted.cpu:g}"] if wanted.cpu else []
    if wanted.memory:
        asked.append(f"memory={_megabytes(wanted.memory)}")
    if wanted.gpu:
        asked.append(f"gpu={wanted.gpu}")
    return (
        paths(step)
        + (f"    @resources({', '.join(asked)})\n" if asked else "")
        + f"    @step\n    def {step.name}(self):\n"
        + f"        run_stage(self.repository, self.commit, {quoted(plan.model)}, {quoted(step.stage)})\n"
        + f"        self.next(self.{then})\n\n"
    )


def _megabytes(memory: str) -> int:
    """An amount such as 4Gi in Metaflow's unit, which it hands to Kubernetes as 10^6 bytes; never less than asked."""
    return -(-int(memory[:-2]) * _BYTES[memory[-2:]] // 10**6)
