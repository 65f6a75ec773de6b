"""Families of models: how the fields of a config.json describe one layer, by `model_type`."""
