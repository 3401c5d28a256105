"""All use of DVC: pull, reproduce and push of pipelines, and access to its cache and remote."""

from modelyard.dvc.drivers import driver_extra
from modelyard.dvc.plots import WORKSPACE, PlotData
from modelyard.dvc.project import Dvc, Stored

__all__ = ["WORKSPACE", "Dvc", "PlotData", "Stored", "driver_extra"]
