"""modelyard: a model repository that runs itself through pull requests."""

__version__ = "0.1.0"
