"""What-ifs: each optimisation alone and all together, at the user's own load."""
