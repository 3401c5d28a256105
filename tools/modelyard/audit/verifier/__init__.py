"""Verifier of audit bundles that uses only the standard library; shipped as ``verify.pyz``."""
