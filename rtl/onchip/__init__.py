"""The NIC on a board without PCIe and Ethernet: frames, host and checker on the chip."""
