"""The simulated host: cores and their time, caches, memory, the way to the NIC."""
