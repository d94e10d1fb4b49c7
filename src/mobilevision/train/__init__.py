"""Training: recipes as values, one loop, weight averaging, checkpoints that survive."""
