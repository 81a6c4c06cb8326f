"""The DMA guard: which rings may be enabled, and which requests may be carried out."""

from collections import Counter, defaultdict

from enso_nic.config import FLIT_BYTES, NicConfig
from enso_nic.registers import (
    FIRST_NOTIFICATION_BUFFER_PAGE,
    FIRST_PIPE_OWNER_PAGE,
    FIRST_WINDOW_PAGE,
    MAY_CONFIGURE,
    PAGE_BYTES,
)

PIPE_TABLE_BYTES, WINDOW_BYTES = 8 * 8192, 16 * 1024
LINE = ~(FLIT_BYTES - 1)


class Guard:
    """Owners of pipes and windows of notification buffers, as privileged software set them.

    Attributes
    ----------
    is_on
        Whether anything is checked.
    told
        (page, address) of all refusals, and of none.
    """

    def __init__(self, config: NicConfig, counters: Counter[str]) -> None:
        self._config, self._counters = config, counters
        self._owners: defaultdict[int, int] = defaultdict(int)
        self._windows: defaultdict[int, int] = defaultdict(int)  # words, two for each buffer
        self.is_on = False
        self.told: list[tuple[int, int]] = [(0, 0)]

    def write(self, address: int, value: int) -> None:
        """Software writes a word of the extension pages."""
        entry, window = address - FIRST_PIPE_OWNER_PAGE * PAGE_BYTES, address - FIRST_WINDOW_PAGE * PAGE_BYTES
        if 0 <= entry < PIPE_TABLE_BYTES and entry // 8 < self._config.pipes:
            self._owners[entry // 8] = value & 0x3FF
        if 0 <= window < WINDOW_BYTES and window // 16 < self._config.notification_buffers:
            self._windows[window // 8] = value

    def allows_ring(self, page: int, value: int, lines: int) -> bool:
        """Whether the ring of so many lines at the address ``value`` may be enabled; 0 always may."""
        if not self.is_on or not value:
            return True
        buffer, address = page - FIRST_NOTIFICATION_BUFFER_PAGE, value & LINE
        is_owned = True
        if page < FIRST_NOTIFICATION_BUFFER_PAGE:
            buffer, address = self._owners[page], value & ~0x3FF
            is_owned = value & 0x3FF == buffer < self._config.notification_buffers
        if is_owned and self._holds(buffer, address, lines):
            return True
        self._refuse("refused_rings", page, value)
        return False

    def allows_request(self, buffer: int, address: int, length: int, *, is_config: bool) -> bool:
        """Whether what a slot asks for may be done."""
        if not self.is_on:
            return True
        may_configure = bool(self._windows[2 * buffer] & MAY_CONFIGURE)
        lines = -(-length // FLIT_BYTES)
        if may_configure if is_config else self._holds(buffer, address & LINE, lines):
            return True
        self._refuse("refused_requests", FIRST_NOTIFICATION_BUFFER_PAGE + buffer, address)
        return False

    def _holds(self, buffer: int, address: int, lines: int) -> bool:
        first, end = self._windows[2 * buffer] & LINE, self._windows[2 * buffer + 1] & LINE
        return first <= address and address + FLIT_BYTES * lines <= end

    def _refuse(self, counter: str, page: int, address: int) -> None:
        self._counters[counter] += 1
        self.told.append((page, address))
