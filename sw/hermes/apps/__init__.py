"""Applications: what is done with a packet."""
