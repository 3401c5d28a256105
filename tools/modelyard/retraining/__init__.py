"""Retraining: what makes it due, and the pull request that proposes its result."""
