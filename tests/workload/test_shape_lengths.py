"""The longest request and the quantiles of a shape are those of the requests, not of the strata."""

from pathlib import Path

import numpy as np
import pytest
from plan_cases import shape

from inferometer.perf.demand import demand
from inferometer.workload.formats.files import read
from inferometer.workload.shape import Shape, shape_of, shape_of_lengths, with_longer_outputs


@pytest.fixture
def skewed() -> Shape:
    inputs = np.concatenate((np.full(9_999, 100), [50_000]))
    return shape_of_lengths(inputs, np.full(10_000, 10), 1.0)


def test_one_long_request_is_kept(skewed: Shape) -> None:
    assert skewed.longest == 50_010
    assert demand(skewed, (np.inf, 4096.0), prefix_caching=True).longest.ravel().tolist() == [
        50_010.0,
        4096.0,
    ]


def test_longest_request_of_a_published_trace(data: Path) -> None:
    trace = read(data / "traces" / "azure_llm_2023_conv.csv").trace
    totals = trace.input_tokens + trace.output_tokens
    assert shape_of(trace).longest == totals.max() == 14_089


def test_quantiles_are_those_of_all_requests() -> None:
    inputs, outputs = np.arange(1, 1001), np.concatenate((np.full(980, 7), np.full(20, 900)))
    known = demand(shape_of_lengths(inputs, outputs, 1.0), (np.inf,), prefix_caching=True)
    assert known.prompt[1:].tolist() == np.quantile(inputs, (0.5, 0.9, 0.99)).tolist()
    assert known.output[1:].tolist() == [7.0, 7.0, 900.0]


def test_points_are_all_there_is_of_a_shape_made_by_hand() -> None:
    made = shape()
    assert made.longest == 4500
    assert with_longer_outputs(made, 2.0, 131072).longest == 5000


def test_longer_outputs_move_the_longest_request_up_to_the_context(skewed: Shape) -> None:
    assert with_longer_outputs(skewed, 3.0, 131072).longest == 50_030
    assert with_longer_outputs(skewed, 3.0, 50_015).longest == 50_015
