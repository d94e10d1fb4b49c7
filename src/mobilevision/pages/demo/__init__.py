"""A page in which a run's exported file itself runs: written as a folder, and served to this machine's browser."""
