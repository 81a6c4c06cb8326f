"""How fast the co-simulation is, measured as ratios within one run."""
