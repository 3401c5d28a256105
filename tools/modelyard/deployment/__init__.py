"""Reconciliation of environments: desired and observed state, plans, deliveries, rollback and promotion."""
