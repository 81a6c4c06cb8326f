"""NICs behind one interface."""
