"""The blocks of the full NIC that are synthesised, by name."""

from collections.abc import Callable

from amaranth.lib import wiring

from enso_nic.config import FULL
from enso_nic.configurator import Configurator
from enso_nic.dma_guard import DmaGuard
from enso_nic.dma_writer import DmaWriter
from enso_nic.extension_page import ExtensionPage
from enso_nic.flow_director import FlowDirector
from enso_nic.host_write_arbiter import HostWriteArbiter
from enso_nic.layouts import HostWrite
from enso_nic.mmio import MmioDecoder
from enso_nic.notifier import Notifier
from enso_nic.operation_queue import OperationQueue
from enso_nic.ordered_reader import OrderedReader
from enso_nic.output_gate import OutputGate
from enso_nic.owed_notifications import OwedNotifications
from enso_nic.packet_buffer import PacketBuffer
from enso_nic.packetiser import Packetiser
from enso_nic.pipe_manager import PipeManager
from enso_nic.rx_parser import RxParser
from enso_nic.transmit import FIRST_REQUEST_TAG
from enso_nic.tx_frame_buffer import TxFrameBuffer
from enso_nic.tx_request_fetch import TxRequestFetch
from enso_nic.tx_requests import TxRequests

_TIMEOUT = FULL.read_timeout_cycles

BLOCKS: dict[str, Callable[[], wiring.Component]] = {
    "rx_parser": lambda: RxParser(FULL),
    "packet_buffer": lambda: PacketBuffer(FULL),
    "flow_director": lambda: FlowDirector(FULL),
    "operation_queue": lambda: OperationQueue(FULL),
    "pipe_manager": lambda: PipeManager(FULL),
    "notifier": lambda: Notifier(FULL),
    "owed_notifications": lambda: OwedNotifications(FULL),
    "dma_writer": DmaWriter,
    "host_write_arbiter": HostWriteArbiter,
    "output_gate": lambda: OutputGate(HostWrite),
    "mmio": MmioDecoder,
    "dma_guard": lambda: DmaGuard(FULL),
    "extension_page": lambda: ExtensionPage(FULL),
    "configurator": Configurator,
    "tx_request_fetch": lambda: TxRequestFetch(FULL),
    "slot_reader": lambda: OrderedReader(FULL.request_tags, FIRST_REQUEST_TAG, _TIMEOUT),
    "data_reader": lambda: OrderedReader(FULL.data_tags, 0, _TIMEOUT),
    "tx_requests": lambda: TxRequests(FULL),
    "packetiser": lambda: Packetiser(FULL),
    "tx_frame_buffer": lambda: TxFrameBuffer(FULL),
}
