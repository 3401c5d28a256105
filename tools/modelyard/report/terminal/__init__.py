"""Verdicts, evidence and registry as text for a terminal."""
