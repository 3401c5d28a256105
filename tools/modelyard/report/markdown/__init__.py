"""Comments, model cards and pull request texts in Markdown for GitHub and GitLab."""
