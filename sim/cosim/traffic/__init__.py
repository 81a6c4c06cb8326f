"""Frames to send: read from captures or generated, put on the wire, and what must come back."""
