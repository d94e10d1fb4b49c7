"""Weights: reading, recognizing, renaming and saving them, and the published ones."""
