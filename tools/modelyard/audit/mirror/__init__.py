"""The mirror: the record of a model repository in a bucket whose objects cannot be deleted, and its way back."""
