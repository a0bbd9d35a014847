"""The quick part of the fuzzing of hints."""

from hypothesis import given, settings

from benchmarks.faults.fuzz import hints
from tests.benchmarks.faults.fuzz.images_test import QUICK


@settings(max_examples=300, **QUICK)
@given(hints.hint_texts())
def test_only_hint_errors_leave_the_reader(text):
    hints.check(text)


def test_good_hints_pass():
    hints.check('[{"x": 3, "y": 4.5, "color": "#b03a2e", "radius": 2}]')
