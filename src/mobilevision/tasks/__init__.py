"""What a network is asked to do: loss, decoding, metrics; a task knows no backbone."""
