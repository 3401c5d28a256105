"""Statistics of arrays: scores, intervals, fairness, calibration, profiles, data drift. NumPy in, values out."""
