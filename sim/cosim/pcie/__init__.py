"""The link between NIC and host: its model, and the bridge that ties simulated software to the RTL."""
