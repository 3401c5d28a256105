"""Rules, dashboards and figures for Prometheus and Grafana."""
