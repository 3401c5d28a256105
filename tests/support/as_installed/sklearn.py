"""In the way of scikit-learn, for processes whose path begins here.

A repository whose models are of LightGBM installs no scikit-learn in CI. Where it is installed, as for these tests, LightGBM
imports it in each process, which takes longer than most of what the tests run.
"""

raise ImportError("This repository's requirement files install no scikit-learn.")
