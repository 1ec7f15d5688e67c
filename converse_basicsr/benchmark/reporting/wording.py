"""Numbers as a reader wants them."""

import math

from .standings import Measure, Score, Standings

UNKNOWN = "-"


def rounded(value: float | None) -> str:
    """Three significant digits, never with an exponent: 0.412, 4.12, 41.2, 412, 4,120."""
    if value is None:
        return UNKNOWN
    digits = 2 - math.floor(math.log10(abs(value))) if value else 0
    return f"{round(value, digits):,.{max(digits, 0)}f}"


def with_prefix(value: float | None) -> str:
    """Three significant digits and k, M, G or T: 1.23 G."""
    if value is None:
        return UNKNOWN
    value = float(f"{value:.3g}")  # first, for 999.6 is 1.00 k
    power = min(max(math.floor(math.log10(abs(value)) / 3), 0), 4) if value else 0
    return f"{rounded(value / 1000**power)} {('', 'k', 'M', 'G', 'T')[power]}".strip()


def whole(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.0f}"


def timing(value: dict | None) -> str:
    """Median, and the quartiles in brackets."""
    if not value:
        return UNKNOWN
    return f"{rounded(value['median'])} ({rounded(value['low'])}-{rounded(value['high'])})"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return UNKNOWN
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def metric(measure: Measure, value: float | None) -> str:
    """Three decimals of a PSNR, four of others."""
    return UNKNOWN if value is None else f"{value:.{_decimals(measure)}f}"


def change(measure: Measure, value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:+.{_decimals(measure)}f}"


def score(measure: Measure, found: Score | None) -> str:
    """Mean, and the standard deviation over seeds where there are several."""
    if found is None:
        return UNKNOWN
    spread = "" if math.isnan(found.spread) else f" ± {metric(measure, found.spread)}"
    return metric(measure, found.mean) + spread


def unit(measure: Measure) -> str:
    return " dB" if _is_psnr(measure) else ""


def label(standings: Standings, measure: Measure) -> str:
    """PSNR, with its set where there are several."""
    dataset, name = measure
    return name.upper() if len(standings.benchmark["sets"]) == 1 else f"{name.upper()} on {dataset}"


def listed(names: list[str]) -> str:
    """a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def _is_psnr(measure: Measure) -> bool:
    return "psnr" in measure[1].lower()


def _decimals(measure: Measure) -> int:
    return 3 if _is_psnr(measure) else 4
