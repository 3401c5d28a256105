"""Desired, observed, planned, applied; receipts, rollback, promotion."""
