"""Verdict, evidence and registry as a person at a terminal reads them."""
