"""Arrivals: what each form means, drawn by request index, whole picoseconds."""

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import TypeAdapter

from cosim.config import ConfigError, RunConfig
from cosim.traffic.arrivals import Arrivals, Bursts, Capture, Deterministic, Mmpp, Phase, Poisson, Steps
from cosim.traffic.generate import poisson_arrivals_ps

MS = 10**9


def parsed(text: str) -> Arrivals:
    arrivals: Arrivals = TypeAdapter(Arrivals).validate_python(text)
    return arrivals


def times(text: str, count: int, rate: int = 1, seed: int = 1) -> NDArray[np.int64]:
    arrivals = parsed(text)
    assert not isinstance(arrivals, Capture)
    return arrivals.times_ps(count, rate, seed)


@pytest.mark.parametrize(
    ("text", "arrivals"),
    [
        ("poisson", Poisson()),
        ("deterministic", Deterministic()),
        ("capture", Capture()),
        ("bursts:32", Bursts(size=32)),
        ("steps:3@1s,5M@1ms", Steps(phases=(Phase(rate=3, time_ps=10**12), Phase(rate=5 * 10**6, time_ps=MS)))),
        ("mmpp:0,2M,1ms,500us", Mmpp(low=0, high=2 * 10**6, low_mean_ps=MS, high_mean_ps=MS // 2)),
    ],
)
def test_forms(text: str, arrivals: Arrivals) -> None:
    assert parsed(text) == arrivals


@pytest.mark.parametrize(
    "text",
    [
        "even", "poisson:2", "bursts", "bursts:0", "steps:", "steps:1M", "steps:1M@", "steps:1M@0", "steps:@1ms",
        "steps:line@1ms", "mmpp:1,2,1ms", "mmpp:1,2,1ms,1ms,1ms", "mmpp:1k,2k,0,1ms", "mmpp:1k,2k,5,1ms",
    ],
)  # fmt: skip
def test_what_is_none_of_the_forms_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as error:
        RunConfig.from_flags({}, [f"arrivals={text}"])
    assert str(error.value).startswith(f"arrivals is {text!r}; accepted is poisson, deterministic, bursts:N, steps:")


@pytest.mark.parametrize("text", ["steps:0@1ms", "steps:1k@1us,2k@1us", "mmpp:0,0,1ms,1ms", "mmpp:1k,1k,1us,1us"])
def test_phases_in_which_next_to_nothing_arrives_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"arrivals (steps|mmpp) has .* requests in a round of its phases; accepted"):
        RunConfig.from_flags({}, [f"arrivals={text}"])


ALL = ["poisson", "deterministic", "bursts:7", "steps:1M@20us,0@5us,3M@10us", "mmpp:500k,4M,30us,10us"]


@pytest.mark.parametrize("text", ALL)
def test_times_ascend_and_a_longer_run_begins_like_a_shorter_one(text: str) -> None:
    long = times(text, 5000, rate=10**6, seed=7)
    assert long.dtype == np.int64
    assert len(long) == 5000
    assert (np.diff(long) >= 0).all()
    assert times(text, 333, rate=10**6, seed=7).tolist() == long[:333].tolist()


@pytest.mark.parametrize("text", [text for text in ALL if text != "deterministic"])
def test_the_seed_decides(text: str) -> None:
    assert times(text, 50, rate=10**6, seed=1).tolist() != times(text, 50, rate=10**6, seed=2).tolist()


def test_a_poisson_process_is_that_of_its_rate() -> None:
    assert times("poisson", 100, rate=3000).tolist() == poisson_arrivals_ps(100, 3000, 1).tolist()


@pytest.mark.parametrize("rate", [3, 7 * 10**6, 148_809_523])
def test_deterministic_arrivals_do_not_drift(rate: int) -> None:
    assert times("deterministic", 10_001, rate=rate).tolist() == [i * 10**12 // rate for i in range(10_001)]


def test_requests_of_a_burst_come_at_once_and_the_rate_is_kept() -> None:
    bursts = times("bursts:10", 100_005, rate=10**6)
    assert (bursts.reshape(-1, 5)[::2] == bursts.reshape(-1, 5)[::2, :1]).all()
    gaps = np.diff(bursts[::10])
    assert gaps.mean() == pytest.approx(10 * 10**6, rel=0.03)
    assert gaps.std() == pytest.approx(10 * 10**6, rel=0.05)


def test_steps_have_their_rates_in_their_phases_and_are_repeated() -> None:
    steps = times("steps:1M@10ms,0@5ms,4M@5ms", 90_000)
    rounds, within = np.divmod(steps, 20 * MS)
    assert rounds[-1] == 2
    for number in range(3):
        low, none, high = (
            ((rounds == number) & (begin * MS <= within) & (within < end * MS)).sum()
            for begin, end in ((0, 10), (10, 15), (15, 20))
        )
        assert low == pytest.approx(10_000, rel=0.04)
        assert none == 0
        assert high == pytest.approx(20_000, rel=0.03)


def test_a_single_step_is_a_poisson_process() -> None:
    gaps = np.diff(times("steps:2M@3ms", 50_000))
    assert gaps.mean() == pytest.approx(500_000, rel=0.02)
    assert gaps.std() == pytest.approx(500_000, rel=0.03)


def test_steps_know_their_mean_and_their_rates() -> None:
    steps = parsed("steps:1M@10ms,0@5ms,4M@5ms")
    assert isinstance(steps, Steps)
    assert (steps.mean_rate, steps.rates) == (1_500_000, (10**6, 0, 4 * 10**6))
    mmpp = parsed("mmpp:1M,4M,2ms,1ms")
    assert isinstance(mmpp, Mmpp)
    assert (mmpp.mean_rate, mmpp.rates) == (2 * 10**6, (10**6, 4 * 10**6))


def test_the_two_states_of_mmpp_have_their_shares_of_time_and_requests() -> None:
    # nothing comes in the low state, so that its stays are the long gaps
    arrivals = times("mmpp:0,10M,1ms,100us", 500_000)
    gaps = np.diff(arrivals)
    stays = gaps[gaps > 20 * 10**6 // 10]  # far beyond what 10 M per second leaves
    assert len(stays) == pytest.approx(500, rel=0.15)  # 1000 requests in each high state
    assert stays.mean() == pytest.approx(MS, rel=0.15)
    assert stays.std() == pytest.approx(stays.mean(), rel=0.2)
    assert 500_000 / arrivals[-1] * 10**12 == pytest.approx(10**7 / 11, rel=0.15)


def test_equal_states_of_mmpp_are_one_poisson_process() -> None:
    gaps = np.diff(times("mmpp:2M,2M,1ms,10us", 50_000))
    assert gaps.mean() == pytest.approx(500_000, rel=0.02)
    assert gaps.std() == pytest.approx(500_000, rel=0.03)
