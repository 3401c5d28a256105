"""What happened, brought back: outcomes joined to predictions, the next labelled increment."""
