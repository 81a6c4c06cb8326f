"""Requests of a key-value store: memcached's text protocol over UDP."""

from pydantic import Field

from cosim.values import Frozen


class KvLoad(Frozen):
    """What clients of the key-value store ask for.

    Attributes
    ----------
    get_share
        Of the requests that are GETs; the others are SETs.
    keys
        Of each connection.
    skew
        Exponent of the Zipf distribution of keys: key k is drawn in proportion to 1 / (k + 1) ** skew; 0 is uniform.
    value_bytes
        Of each value.
    """

    get_share: float = Field(default=0.9, ge=0, le=1, description="0 to 1")
    keys: int = Field(default=100, ge=1, le=10**6, description="1 to 1000000 keys of each connection")
    skew: float = Field(default=0.99, ge=0, le=10, description="0 (uniform) to 10, the exponent of a Zipf distribution")
    value_bytes: int = Field(default=100, ge=0, le=1400, description="0 to 1400 bytes")
