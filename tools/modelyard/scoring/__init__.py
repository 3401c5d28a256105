"""Scoring of tables by loaded versions, and the checks that a version gives the same scores everywhere."""
