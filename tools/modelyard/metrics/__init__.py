"""Numbers from tables: scores, intervals, fairness, calibration, profiles, drift. NumPy in, values out."""
