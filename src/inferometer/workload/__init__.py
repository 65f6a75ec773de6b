"""Requests as they come: traces read from files, synthesised from a spec, described."""
