from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from modelyard.flavors.lightgbm import import_lightgbm
lightgbm = import_lightgbm()
assert not {"sklearn", "pandas"} & sys.modules.keys(), "what scoring does not need was imported"
import pandas, sklearn, numpy as np
data = lightgbm.Dataset(np.arange(200.0)[:, None], np.arange(200) % 2)
booster = lightgbm.train({"objective": "binary", "verbose": -1}, data, 1)
print(booster.predict(np.zeros((3, 1))).shape)
"""


def test_lightgbm_is_imported_without_its_companions_which_stay_importable() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(3,)"


def test_a_companion_that_is_imported_already_stays_imported() -> None:
    program = "import pandas, sys\n" + PROGRAM.replace('assert not {"sklearn", "pandas"}', 'assert not {"sklearn"}')
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
