"""The two sides of the NIC: the host port and Ethernet."""

from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.layouts import EthernetRx, EthernetTx, HostWrite, MmioRequest, ReadCompletion, ReadRequest


class HostPort(wiring.Signature):
    """What the NIC shows to a host: no PCIe packets, no vendor.

    ``to_host`` is one ordered stream, because PCIe lets no read completion pass an earlier posted write. A write is 1
    to 8 consecutive beats, of which nothing else comes in between, and crosses no ``max_payload``-aligned boundary.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "to_host": Out(stream.Signature(HostWrite)),
                "read_request": Out(stream.Signature(ReadRequest)),
                "read_completion": In(stream.Signature(ReadCompletion)),
                "mmio_request": In(stream.Signature(MmioRequest)),
                "max_payload": In(4),  # flits per write: 2, 4 or 8
                "max_read": In(4),  # flits per read: 2, 4 or 8
                "bus_master": In(1),  # 0: the NIC starts neither writes nor reads of host memory
                "reset": In(1),
            }
        )


class NicSignature(wiring.Signature):
    """The NIC's ports; ``full`` and ``tiny`` have the same."""

    def __init__(self) -> None:
        super().__init__(
            {
                "ethernet_rx": In(stream.Signature(EthernetRx, always_ready=True)),
                "ethernet_tx": Out(stream.Signature(EthernetTx)),
                "host": Out(HostPort()),
                "cycle": In(64),  # free-running count of clock cycles
                "tick": In(64),  # floor(cycle * 4 / 5): upstream's unit of 5 ns
                "ready": Out(1),  # the tables are clear; before, RX drops and MMIO waits
                "quiescent": Out(1),  # nothing changes until an input or ``wake_at``; waiting for host reads counts
                "wake_at": Out(64),  # cycle of the next deadline; all ones: none
            }
        )
