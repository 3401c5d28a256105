"""Comments, cards and bodies in Markdown that GitHub and GitLab render."""
