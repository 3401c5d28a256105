"""Verifies an audit bundle with the standard library alone; shipped as one file, ``verify.pyz``."""
