"""What makes a trained network smaller or faster: learning from a teacher, training with its rounding inside."""
