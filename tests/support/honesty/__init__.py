"""Simulations of every rule that can fail, alarm or take traffic back: how often it does, against how often it may."""
