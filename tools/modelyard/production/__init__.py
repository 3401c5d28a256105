"""What a served version shows: windows measured and judged, labels brought back, people notified."""
