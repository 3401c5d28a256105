"""Verdicts and evidence as text, Markdown, HTML and Prometheus metrics. Nothing is measured or decided here."""
