"""Alerts: the channels that modelyard.yaml names, and their notification when causes begin, hold and end."""
