"""What an operator may do at the server itself: look again, and send all traffic back."""

from __future__ import annotations

from modelyard.errors import UsageError
from modelyard.rollout.plan import Live, Traffic
from modelyard.serving.layout import Layout
from modelyard.serving.models import ModelTable


class Control:
    """The control endpoints of one server."""

    def __init__(self, layout: Layout, table: ModelTable) -> None:
        self._layout, self._table = layout, table

    def do(self, verb: str, model: str) -> object:
        """``load`` looks at the folder again; ``rollback`` gives the stable version all traffic, now."""
        if verb == "unload":
            raise UsageError(f"{model} is served because main says so.", "Remove its file below deployments/ instead.")
        if verb == "rollback":
            self._back(model)
        self._table.refresh()
        loaded = self._table.models.get(model)
        if loaded is None:
            raise UsageError(f"No model {model!r} is served here.", "Deploy it first.")
        return {"name": model, "serving": loaded.serving, "weight": loaded.traffic.weight}

    def _back(self, model: str) -> None:
        with self._layout.changing():
            state = self._layout.read_state()
            live = state.models.get(model)
            if live is None or live.traffic is None or not live.traffic.candidate:
                raise UsageError(
                    f"No rollout of {model} is under way here.", "To go back further run: modelyard rollback MODEL"
                )
            # The next deploy sees that its traffic was taken away, writes the rollback down and opens the pull request.
            self._layout.write_state(state.with_model(model, Live(Traffic(live.traffic.stable), live.installed)))
