"""When do two makings of a file say the same?"""

import pytest

from lab.upkeep.agreement import Tolerance, agree

NOISE = Tolerance(relative=0.01, absolute=0.001)


def test_without_a_tolerance_every_byte_counts():
    assert agree("a = 1.0\n", "a = 1.0\n", Tolerance())
    assert not agree("a = 1.0\n", "a = 1.00\n", Tolerance())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("value = 0.59745689", "value = 0.59745691"),
        ("a,3.4e-07,12.1", "a,-2.1e-06,12.2"),
        ('as_of = "2026-11-26"', 'as_of = "2027-01-03"'),
    ],
)
def test_numbers_within_the_tolerance_agree(old, new):
    assert agree(old, new, NOISE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("value = 0.597", "value = 0.604"),
        ("value = 0.5", "value = -0.5"),
        ("gemm = 0.597", "attention = 0.597"),
        ("a,1,2", "a,1,2,3"),
        ("within: yes", "within: no"),
        ("3601.1,170.0", "3601.1,999.9"),
    ],
)
def test_other_words_and_other_numbers_do_not(old, new):
    assert not agree(old, new, NOISE)


def test_commas_part_thousands_in_prose_and_cells_in_tables():
    assert agree("1,999 hours", "2,001 hours", NOISE, is_prose=True)
    assert not agree("1,999", "2,001", NOISE)
