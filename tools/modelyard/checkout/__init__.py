"""One clone: manifests, tags, histories, champion, rules, evidence store."""
