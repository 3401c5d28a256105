"""Verdict and evidence → what people read. Renders; computes no measurement and decides nothing."""
