"""What served versions did: gathered from logs in one pass, judged, filed, told."""
