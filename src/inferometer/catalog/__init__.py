"""Facts as data: accelerators, models, engines, prices, grids; value, unit, source, date."""
