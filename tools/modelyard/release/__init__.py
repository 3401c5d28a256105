"""From a merged candidate to a registered version, and out of use again."""
