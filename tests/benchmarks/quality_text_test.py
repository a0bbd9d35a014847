"""What is printed of the numbers."""

from benchmarks import quality_text


def test_blotches_are_printed_with_the_largest_three():
    numbers = {"share": 0.4, "area": {"a.png": 0.118, "b.png": 0.05, "c.png": 0.03, "d.png": 0.02}}
    assert quality_text.format_blotches(numbers) == (
        "blotches: 40.0% of the photos have a red one, the largest a.png (12%), b.png (5%), c.png (3%)"
    )
    assert quality_text.format_blotches({"share": 0.0, "area": {}}) == "blotches: 0.0% of the photos have a red one"
