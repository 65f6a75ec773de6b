"""Trace files: one module per family of formats, read and written through `files`."""
