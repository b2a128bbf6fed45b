"""Functions of one number give the nearest float, and of an array what NumPy gives."""

from decimal import Context

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.figures.arrays import exp, expm1, log, log2

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


@pytest.mark.parametrize(
    ("ours", "numpys"), [(exp, np.exp), (expm1, np.expm1), (log, np.log), (log2, np.log2)]
)
def test_arrays_are_left_to_numpy(ours, numpys):
    values = np.array([0.25, 1.0, 7.5])
    assert np.array_equal(ours(values), numpys(values))
    assert [ours(value) for value in values] == pytest.approx(list(numpys(values)), rel=1e-15)
