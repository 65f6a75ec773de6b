"""Fit the performance and power model to measurements, and judge it against them."""
