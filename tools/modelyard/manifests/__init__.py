"""Manifests: YAML files as frozen values, with errors that name the file, the line and the field."""
