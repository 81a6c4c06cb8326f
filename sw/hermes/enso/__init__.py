"""The driver: devices, pipes, notification buffers, and the backends through which their register writes go."""
