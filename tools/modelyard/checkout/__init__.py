"""One clone of a model repository: manifests, tags, histories, champion, rules and evidence store."""
