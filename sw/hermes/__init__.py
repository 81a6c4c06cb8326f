"""The software of Hermes: driver, IOKernel, runtimes, and the systems composed of them."""
