"""The driver on the RTL: rings that are seen twice, all three kinds of pipes, steering, prefetch, and the end."""

from pathlib import Path

from cosim.nic.rtl import nic_model, simulate

SEED = 3


def play(entry: str, folder: Path) -> str:
    """What the entry said last."""
    print(f"seed {SEED}")
    said: list[str] = []
    task = folder / "task"
    task.write_text(str(SEED))
    simulate(
        f"tests.cosim.driver_entries:{entry}",
        task,
        folder=folder / "run",
        progress=said.append,
        model=nic_model(),
    )
    return said[-1]


def test_packets_are_in_one_piece_wherever_they_begin_in_their_ring(tmp_path: Path) -> None:
    count, _, what = play("echoes_over_the_rings_ends", tmp_path).partition(" ")
    assert what == "headers over a ring's end"
    assert int(count) >= 1


def test_flows_fallback_prefetch_and_close_do_at_the_nic_what_they_say(tmp_path: Path) -> None:
    assert play("steers_prefetches_and_closes", tmp_path) == "done"
