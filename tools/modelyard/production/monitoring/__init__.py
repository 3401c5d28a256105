"""Monitoring windows: measured in one pass, judged by the policy, and filed as evidence."""
