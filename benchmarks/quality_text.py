"""The numbers of `quality.py` as it prints them: a text for each of its parts."""

from typing import Any


def format_automatic(table: list[dict[str, float]]) -> str:
    """The automatic colours, a line for each saturation."""
    lines = [
        "automatic       PSNR, dB   grey   gain   colorfulness  originals  difference   CIEDE2000   grey   below grey"
    ]
    lines += [
        f"saturation {row['saturation']:<4g} {row['psnr']:8.2f} {row['grey_psnr']:6.2f} {row['psnr_gain']:+6.2f}"
        f" {row['colorfulness']:14.1f} {row['original_colorfulness']:10.1f} {row['colorfulness_delta']:11.1f}"
        f" {row['ciede2000']:11.2f} {row['grey_ciede2000']:6.2f} {row['ciede2000_percent_below_grey']:10.1f} %"
        for row in table
    ]
    return "\n".join(lines)


def format_blotches(numbers: dict[str, Any]) -> str:
    """The blotches, in a sentence."""
    largest = [f"{name} ({area:.0%})" for name, area in list(numbers["area"].items())[:3]]
    line = f"blotches: {numbers['share']:.1%} of the photos have a red one"
    return line + (f", the largest {', '.join(largest)}" if largest else "")


def format_noise(numbers: dict[str, float]) -> str:
    """The noise, in sentences."""
    return (
        f"noise: {numbers['num_samples']} samples lie {numbers['distance_mean']:.2f} CIE ab units apart on average "
        f"(median {numbers['distance_median']:.2f}; at least 8 for {numbers['plain_share']:.0%} of the photos)\n"
        f"the best of them is {numbers['best_psnr_gain']:+.2f} dB from the automatic colours, all on average "
        f"{numbers['mean_psnr_gain']:+.2f} dB"
    )


def format_hints(numbers: dict[str, Any]) -> str:
    """The hints, in sentences and a line of rings."""
    gains = ", ".join(f"{num}: {gain:+.2f}" for num, gain in numbers["psnr_gain"].items())
    lines = [f"hints: PSNR gain over the automatic colours, dB, by number of true points: {gains}"]
    for name in ("true", "wrong"):
        error = numbers[f"{name}_error"]
        lines.append(
            f"{name} colour asked for, {error['asked']:.1f} CIE ab units from the automatic one, missed by "
            f"{error['mean']:.1f} (median {error['median']:.1f}, 90th percentile {error['p90']:.1f})"
        )
    reach = numbers["reach"]
    rings = ", ".join(f"{ring} px: {_show(change)}" for ring, change in reach["rings"].items())
    lines.append(f"change by one wrong hint, CIE ab units, by distance from it: {rings}")
    lines.append(
        f"8 to 64 px from it: {_show(reach['same_surface'])} where the true colour is that of the hinted spot, "
        f"{_show(reach['other_surface'])} elsewhere"
    )
    return "\n".join(lines)


def format_reference(numbers: dict[str, float]) -> str:
    """The references, in sentences."""
    return "\n".join(
        f"reference, {name}: {numbers[f'{key}_psnr_gain']:+.2f} dB from the automatic colours, which move by "
        f"{numbers[f'{key}_distance']:.1f} CIE ab units"
        for key, name in (("own", "the photo's own colours"), ("other", "another photo"))
    )


def _show(change: float | None) -> str:
    return "-" if change is None else f"{change:.1f}"


def format_old(numbers: dict[str, Any]) -> str:
    """Old photos, a line for each kind of damage and one for all."""
    lines = ["old photos     photos  clean, dB  degraded, dB  loss, dB  gain over grey, dB"]
    lines += [
        f"{name:14} {row['num_photos']:6} {row['clean_psnr']:10.2f} {row['psnr']:13.2f} {row['loss']:9.2f} "
        f"{row['psnr_gain']:+19.2f}"
        for name, row in [*numbers["kinds"].items(), ("all", numbers["overall"])]
    ]
    return "\n".join(lines)


FORMATS = {
    "automatic": format_automatic,
    "blotches": format_blotches,
    "noise": format_noise,
    "hints": format_hints,
    "reference": format_reference,
    "old": format_old,
}
