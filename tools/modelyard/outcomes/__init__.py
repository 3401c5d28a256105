"""What happened to what was predicted: where it is found, and one outcome an id."""
