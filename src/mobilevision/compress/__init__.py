"""What makes a trained network smaller or faster: training with its rounding inside."""
