"""Rollout planning without input or output: states, actions, analysis and promotion rules."""
