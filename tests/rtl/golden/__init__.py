"""A model of the NIC that is plain enough to be read as its specification.

`GoldenNic` is told everything that enters the NIC, what the taps say, and everything that leaves it, in the
order in which it happens. It raises AssertionError at the first thing that the specification does not allow.
"""

from tests.rtl.golden.nic import GoldenNic

__all__ = ["GoldenNic"]
