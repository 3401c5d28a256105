"""The audit bundle with its stand-alone verifier, and the attribution of predictions."""
