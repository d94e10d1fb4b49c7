"""What people look at: the network as a table and as a picture, and a run as one page."""
