"""When a retraining is due, and the pull request that retrains."""
