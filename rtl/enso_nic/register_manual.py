"""``python -m enso_nic.register_manual FILE`` writes the manual of the registers and of what lies in host memory."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from amaranth.lib import data

from enso_nic import layouts
from enso_nic import registers as r
from enso_nic.configurator import ConfigId
from enso_nic.layouts import ConfigCode, TxCompletionCode

INTRODUCTION = """# The registers of the NIC, and what it reads and writes in host memory

Made from the code that defines them: `.venv/bin/python -m enso_nic.register_manual docs/registers.md`.

All addresses are bytes in BAR2, all numbers little-endian. Heads, tails and sizes count lines of 64 bytes: flits of a
pipe, slots of a notification buffer. A 32-bit register changes only if all four of its bytes are written; 8 bytes are
two registers. A read gives the aligned 8-byte word, and sees every write before it. What is not listed reads 0 and
ignores writes.
"""
PIPE_PAGES = """
Page p, p from 0 to 8191, is at `0x1000 * p`; page 8192 + n, n from 0 to 1023, of notification buffer n is at
`0x0200_0000 + 0x1000 * n`. The 64 bytes repeat 64 times in their page. After reset all read 0.
"""
EXTENSION = """
From `{start:#011_x}` on, beyond upstream's map. Words have 8 bytes; to write one, write all bytes of its lower half.
"""
TABLES = """
| address | word | access |
|---|---|---|
| `{modes:#011_x} + 8 * p` | mode of pipe p: bit 0 is header mode | read, write |
| `{drops:#011_x} + 8 * p` | frames that were for pipe p and dropped, since reset; 32 bits, then from 0 again | read |
| `{owner:#011_x} + 8 * p` | bits 9 to 0: the notification buffer that owns pipe p, for the DMA guard | write |
| `{window:#011_x} + 16 * n` | first byte of the window of notification buffer n, a multiple of 64; bit 0: it may send \
config requests | write |
| `{window_end:#011_x} + 16 * n` | byte behind its window, a multiple of 64 | write |

While `guard` is 1: a write that would enable a ring outside of the window of its notification buffer, or a pipe with
another buffer than its owner, sets the ring's address to 0. A TX request for data outside of the window, or a config
request without leave, ends with code 7. All windows are empty after reset. Rings that are enabled already are not
checked: close those of a buffer before you change its window.
"""
STRUCTS: dict[str, tuple[Any, str]] = {
    "RX notification": (layouts.NotificationLine, "The NIC writes it to an RX ring: `signal` is 1."),
    "TX request": (
        layouts.TxRequestLine,
        "Software writes it to a TX ring: `signal` is 1, or 2 for a config request, with its id as `address`.",
    ),
    "TX completion": (
        layouts.TxCompletionLine,
        "The NIC writes it over the request: `signal` is 0, `code` one of the list below.",
    ),
    "Line before a frame": (
        layouts.FrameHeader,
        "In a pipe in header mode, and in the data of a framed TX request, where only `length` counts.",
    ),
    "Config request 1, 0x100, 0x101": (layouts.ConfigFlow, "Bytes from 16 on; numbers in host order."),
    "Config request 2": (layouts.ConfigTimestamp, "Bytes from 16 on; enabled by the most significant bit."),
    "Config request 3": (layouts.ConfigRateLimit, "Bytes from 16 on; enabled by the most significant bit."),
    "Config request 4": (
        layouts.ConfigFallback,
        "Bytes from 16 on; `round_robin` by its most significant bit; 0 pipes: no fallback.",
    ),
}
CONFIG_REQUESTS: dict[Any, str] = {
    ConfigId.FLOW_INSERT: "insert or overwrite a flow rule",
    ConfigId.TIMESTAMP: "time stamps in frames, both ways",
    ConfigId.RATE_LIMIT: "rate limit of TX, as a share of 200 M flits per second",
    ConfigId.FALLBACK: "where frames go that match no rule",
    ConfigId.FLOW_DELETE: "delete a flow rule",
    ConfigId.FLOW_STATUS: "ask whether there is a flow rule",
}
CODES: dict[Any, str] = {
    TxCompletionCode.OK: "done",
    TxCompletionCode.MALFORMED: "address off 64 bytes, or length 0: nothing was sent",
    TxCompletionCode.READ_ERROR: "host memory could not be read",
    ConfigCode.UNKNOWN: "there is no config request with this id",
    ConfigCode.TABLE_FULL: "no place was found for the flow rule",
    ConfigCode.NOT_FOUND: "there is no such flow rule",
    TxCompletionCode.UNFINISHED: "the frame that the request began, or went on with, was dropped before it was whole",
    TxCompletionCode.FORBIDDEN: "the DMA guard does not let it: nothing was done",
}


def table(headers: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    lines = [list(headers)]
    lines += [["---"] * len(lines[0]), *(list(row) for row in rows)]
    return "\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def fields(struct: type[data.Struct], start: int) -> str:
    """Bits of a struct that begins at byte ``start`` of its line."""
    layout = data.Layout.cast(struct)
    return table(
        ("bytes", "bits of them", "field"),
        (
            (_bytes(field.offset, field.width, start), _bits(field.offset, field.width), f"`{name}`")
            for name, field in layout
            if name not in ("unused", "above_length")
        ),
    )


def _bytes(offset: int, width: int, start: int) -> str:
    first, last = start + offset // 8, start + (offset + width - 1) // 8
    return f"{first}" if first == last else f"{first} to {last}"


def _bits(offset: int, width: int) -> str:
    if offset % 8 == 0 and width % 8 == 0:
        return "all"
    return f"{offset % 8 + width - 1} to {offset % 8}" if width > 1 else f"{offset % 8}"


def _access(word: r.ExtensionWord) -> str:
    return "read, write" if word.writable else "read"


def _tables() -> str:
    return TABLES.format(
        modes=r.pipe_mode_register(0),
        drops=r.pipe_drops_register(0),
        owner=r.pipe_owner_register(0),
        window=r.window_register(0),
        window_end=r.window_register(0) + 8,
    )


def manual() -> str:
    """The whole text."""
    parts = [INTRODUCTION, "\n## Pages of pipes and notification buffers\n", PIPE_PAGES]
    parts.append(
        table(
            ("offset", "register", "of a pipe", "of a notification buffer"),
            ((f"`{offset:#04x}`", f"`{name}`", *texts) for name, (offset, *texts) in r.PAGE_REGISTERS.items()),
        )
    )
    parts += ["\n## Extension pages\n", EXTENSION.format(start=r.extension_register("magic"))]
    parts.append(
        table(
            ("address", "word", "what", "access"),
            (
                (f"`{r.extension_register(name):#011_x}`", f"`{name}`", word.text, _access(word))
                for name, word in r.EXTENSION_WORDS.items()
            ),
        )
    )
    parts.append(_tables())
    parts.append("\nBits of `capabilities`:\n")
    parts.append(table(("bit", "feature"), ((f"{each.bit_length() - 1}", f"`{each.name}`") for each in r.Capability)))
    parts.append("\n## Host memory\n")
    for title, (struct, text) in STRUCTS.items():
        start = 16 if title.startswith("Config") else 0
        parts += [f"\n### {title}\n\n{text}\n", fields(struct, start)]
    parts.append("\n### Config requests\n")
    parts.append(table(("id", "what"), ((f"{each.value:#x}", text) for each, text in CONFIG_REQUESTS.items())))
    parts.append("\n### Codes of completions\n")
    parts.append(table(("code", "what"), ((f"{each.value}", text) for each, text in CODES.items())))
    return "".join(parts)


def main(arguments: list[str]) -> int:
    """Write the file that ``arguments`` names; gives the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m enso_nic.register_manual FILE\n")
        return 2
    Path(arguments[0]).write_text(manual())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
