"""Tells those on call: issues, webhooks, Alertmanager, Prometheus."""
