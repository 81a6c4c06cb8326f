"""The numbers of the link between NIC and host, and of the wire."""

from dataclasses import dataclass, fields

NIC_CYCLE_PS = 4000


@dataclass(frozen=True, kw_only=True)
class LinkParameters:
    """Every number of the link and of the wire; bytes on the link are those of a TLP, headers and framing included.

    Parameters
    ----------
    propagation_up_ps, propagation_down_ps
        From NIC to host and back; less than a NIC cycle counts as one.
    bytes_per_second
        Of each direction: 15.75 GB/s is Gen3 x16.
    overhead_bytes
        Of each TLP beside its payload.
    max_payload_bytes, max_read_bytes
        Of a write or completion, and of a read request: 128, 256 or 512.
    completion_boundary_bytes
        A read's answer is cut into TLPs at multiples of this only: 64 or 128.
    memory_read_ps
        From the arrival of a read at the host to the sample of its memory.
    up_queue_bytes
        The NIC may not send while more than this waits for the way up.
    wire_bits_per_second, wire_overhead_bytes
        Of Ethernet: the overhead is frame check sequence, preamble and gap.
    tx_fifo_bytes
        The MAC takes no beat from the NIC while more than this waits for the wire.
    cut_completions
        Cut answers at random boundaries, not only where the maximum payload ends: 0 or 1.
    completion_jitter_ps
        Each completion TLP is late by a random time up to this; those of different reads change places.
    to_host_stall_percent, tx_stall_percent
        Share of cycles, drawn at random, in which the host port's or the MAC's ready is low: 0 to 99.
    seed
        Of all draws.
    """

    propagation_up_ps: int = 400_000
    propagation_down_ps: int = 400_000
    bytes_per_second: int = 15_750_000_000
    overhead_bytes: int = 24
    max_payload_bytes: int = 512
    max_read_bytes: int = 512
    completion_boundary_bytes: int = 64
    memory_read_ps: int = 100_000
    up_queue_bytes: int = 4096
    wire_bits_per_second: int = 100_000_000_000
    wire_overhead_bytes: int = 24
    tx_fifo_bytes: int = 2048
    cut_completions: int = 0
    completion_jitter_ps: int = 0
    to_host_stall_percent: int = 0
    tx_stall_percent: int = 0
    seed: int = 1

    def __post_init__(self) -> None:
        sizes: dict[str, tuple[int, ...]] = {"max_payload_bytes": (128, 256, 512), "max_read_bytes": (128, 256, 512)}
        sizes |= {"completion_boundary_bytes": (64, 128), "cut_completions": (0, 1)}
        rates = ("bytes_per_second", "wire_bits_per_second")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in sizes:
                fine, accepted = value in sizes[field.name], " or ".join(map(str, sizes[field.name]))
            elif field.name in rates:
                fine, accepted = 10**6 <= value <= 10**15, "10^6 to 10^15"
            elif field.name.endswith("_percent"):
                fine, accepted = 0 <= value <= 99, "0 to 99"
            else:
                fine, accepted = 0 <= value <= 10**12, "0 to 10^12"
            if not fine:
                raise ValueError(f"link.{field.name} is {value}; accepted is {accepted}")

    def words(self) -> list[int]:
        """The fields in order, as the C++ side takes them; no propagation is shorter than a NIC cycle."""
        return [
            max(NIC_CYCLE_PS, getattr(self, field.name))
            if field.name.startswith("propagation")
            else getattr(self, field.name)
            for field in fields(self)
        ]
