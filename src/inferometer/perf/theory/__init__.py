"""The Erdil model of decoding: latency and price of a token over real-valued instances and batches.

Source of every formula: Erdil, "Inference economics of language models", arXiv 2506.04645, and its
notebook of September 2024 where the two differ.
"""
