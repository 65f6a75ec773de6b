"""Inferometer: the economics of LLM inference."""
