"""The IOKernel: owner of the NIC's notification buffer, between the NIC and the runtimes."""
