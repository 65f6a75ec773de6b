"""Trace-driven simulation of a serving fleet: scheduler, KV cache, replica, router, fleet."""
