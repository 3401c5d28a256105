"""One file with everything an auditor needs, and a verifier that needs nothing but Python."""
