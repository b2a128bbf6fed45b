"""Functions of a central value give the nearest float, and of draws what NumPy gives."""

from decimal import Context

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.figures.arrays import FEW, exp, expm1, log, log2, power

EXACT = Context(prec=40)
HALF_A_DIGIT = 2.0**-53 * (1 + 2.0**-9)


def is_nearest(found, exact):
    """Whether a float is the one next to a number, but for one in some hundred near ties."""
    told = EXACT.create_decimal_from_float(float(found))
    return abs(told - exact) <= abs(exact) * EXACT.create_decimal_from_float(HALF_A_DIGIT)


@given(st.floats(-300.0, 300.0))
def test_an_exponential_of_one_number_is_the_nearest_float(a):
    assert is_nearest(exp(a), EXACT.exp(EXACT.create_decimal_from_float(a)))


@given(st.floats(1e-300, 1e300))
def test_a_logarithm_of_one_number_is_the_nearest_float(a):
    assert is_nearest(log(a), EXACT.ln(EXACT.create_decimal_from_float(a)))


@given(st.floats(1e-3, 1e3), st.floats(-30.0, 30.0))
def test_a_power_of_one_number_is_the_nearest_float(a, exponent):
    exact = EXACT.power(
        EXACT.create_decimal_from_float(a), EXACT.create_decimal_from_float(exponent)
    )
    assert is_nearest(power(a, exponent), exact)


@given(st.floats(0.0, 1e300))
def test_a_root_is_rounded_once_alone_and_among_draws(a):
    exact = EXACT.sqrt(EXACT.create_decimal_from_float(a))
    assert is_nearest(power(a, 0.5), exact)
    assert np.all(power(np.full(2 * FEW, a), 0.5) == power(a, 0.5))


OURS_AND_NUMPYS = [(exp, np.exp), (expm1, np.expm1), (log, np.log), (log2, np.log2)]


@pytest.mark.parametrize(("ours", "numpys"), OURS_AND_NUMPYS)
def test_draws_are_left_to_numpy(ours, numpys):
    values = np.linspace(0.25, 7.5, FEW + 1)
    assert np.array_equal(ours(values), numpys(values))
    assert [ours(value) for value in values] == pytest.approx(list(numpys(values)), rel=1e-15)


@pytest.mark.parametrize("ours", [ours for ours, _ in OURS_AND_NUMPYS])
def test_a_few_points_of_a_central_value_are_computed_as_each_alone(ours):
    values = np.linspace(0.25, 7.5, FEW)
    for together, value in zip(ours(values), values.tolist(), strict=True):
        assert together == ours(value)
    for together, value in zip(np.asarray(power(0.97, values)), values.tolist(), strict=True):
        assert together == power(0.97, value)


def test_an_array_without_numbers_stays_one():
    assert np.shape(exp(np.zeros(0))) == (0,)
