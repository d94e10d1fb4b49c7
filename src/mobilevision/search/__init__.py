"""Search: spaces of networks, shared weights, and the ways to find a good one in them."""
