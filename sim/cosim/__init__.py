"""The simulated machine around the NIC, and the experiments run on it."""
