"""Feedback: labelled increments from ground truth, samples of rows to label, and erasure of ids."""
