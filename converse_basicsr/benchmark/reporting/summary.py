"""A benchmark in plain words, each computed from the numbers."""

import math
from dataclasses import dataclass

from . import wording
from .comparing import Difference, compare, gap, images_won
from .notes import budget_in_words
from .standings import Standing, Standings

PRICES = (
    ("latency", "ms", ("latency_ms", "median")),
    ("parameters", "", ("parameters",)),
    ("FLOPs with FFT", "", ("flops_with_fft",)),
    ("training step", "ms", ("training_step_ms", "median")),
    ("memory", "MiB", ("peak_memory_mib", "evaluation")),
)


@dataclass(frozen=True)
class Ratio:
    """A cost of the Converse network over that of its rival."""

    name: str
    value: float
    detail: str


@dataclass(frozen=True)
class Summary:
    """verdict: 'better', 'worse', 'equal' or 'open'; the rest is plain text."""

    verdict: str
    headline: str
    sentences: list[str]
    price: str  # what the ratios are, or why there are none
    ratios: list[Ratio]
    caveats: list[str]


def summarise(standings: Standings) -> Summary:
    """Converse against its best rival, every entrant against the baseline, and what is missing."""
    verdict, headline = _verdict(standings)
    converse, rival = standings.converse, standings.rival
    ratios = _ratios(converse, rival) if converse and rival else []
    sentences = [
        *(_versus(standings, converse, rival) if converse and rival else []),
        *_gains(standings),
        *_missing(standings),
    ]
    return Summary(verdict, headline, sentences, _price(converse, rival, ratios), ratios, _caveats(standings))


def _verdict(standings: Standings) -> tuple[str, str]:
    if not standings.scored:
        return "open", "No run has finished yet, so there is nothing to compare."
    converse, rival, best = standings.converse, standings.rival, standings.scored[0]
    if not (converse and rival):
        value = wording.metric(standings.first, best.score(standings.first).mean) + wording.unit(standings.first)
        named = wording.label(standings, standings.first)
        return "open", f"{best.name} is best with {named} {value}; {_absent(standings)}."
    name = _best_converse(standings)
    difference = compare(converse.score(standings.first), rival.score(standings.first))
    amount, seeds = _amount(standings, abs(difference.value)), _seeds(difference)
    if difference.value == 0 or difference.is_within_spread:
        return (
            "equal",
            f"No clear difference: {name} and the best rival {rival.name} are {amount} apart{seeds}.",
        )
    if standings.sign(standings.first) * difference.value > 0:
        return "better", f"{name} is better than the best rival, {rival.name}, by {amount}{seeds}."
    return "worse", f"Converse is not better: {name} is {amount} behind the best rival, {rival.name}{seeds}."


def _best_converse(standings: Standings) -> str:
    """Its name, and of how many it is the best."""
    count = sum(entrant.is_converse for entrant in standings.scored)
    name = standings.converse.name
    return f"{name}, the best of {count} networks with Converse," if count > 1 else name


def _absent(standings: Standings) -> str:
    """Which side of the comparison is missing, and whether it is still to come."""
    kind = "without" if standings.rival is None else "with"
    if any(entrant.is_converse == (kind == "with") for entrant in standings.entrants):
        return f"no network {kind} Converse has finished"
    return f"there is no network {kind} Converse to compare with"


def _seeds(difference: Difference) -> str:
    if math.isnan(difference.spread):
        return " (a single run: it may be chance)"
    return f", {'within' if difference.is_within_spread else 'more than'} the spread over seeds"


def _amount(standings: Standings, value: float) -> str:
    unit = wording.unit(standings.first)
    return f"{wording.metric(standings.first, value)}{unit} {wording.label(standings, standings.first)}"


def _price(converse: Standing | None, rival: Standing | None, ratios: list[Ratio]) -> str:
    if not (converse and rival):
        return ""
    if not ratios:
        return f"The costs of {converse.name} and {rival.name} are not both measured yet, so no price is given."
    return f"The price of {converse.name}, in multiples of that of {rival.name}:"


def _versus(standings: Standings, converse: Standing, rival: Standing) -> list[str]:
    sentences = []
    won, both = images_won(standings, converse, rival)
    if both:
        sentences.append(f"{converse.name} is ahead of {rival.name} on {won} of {both} images.")
    signs = {measure: _sign(standings, converse, rival, measure) for measure in standings.measures}
    others = [wording.label(standings, measure) for measure, sign in signs.items() if sign * signs[standings.first] < 0]
    if others:
        sentences.append(f"By {wording.listed(others)} it is the other way round.")
    return sentences + _better_and_faster(standings, converse)


def _better_and_faster(standings: Standings, converse: Standing) -> list[str]:
    """Which rivals the Converse network loses to, and which it beats, in quality and latency at once."""
    ahead, behind = [], []
    own, sign = converse.price("latency_ms", "median"), standings.sign(standings.first)
    for rival in standings.scored:
        latency = rival.price("latency_ms", "median")
        if rival.is_converse or own is None or latency is None:
            continue
        gain = sign * (rival.score(standings.first).mean - converse.score(standings.first).mean)
        if gain > 0 and latency < own:
            ahead.append(rival.name)
        elif gain < 0 and latency > own:
            behind.append(rival.name)
    return [
        *([f"Both better and faster than {converse.name}: {wording.listed(ahead)}."] if ahead else []),
        *([f"{converse.name} is both better and faster than {wording.listed(behind)}."] if behind else []),
    ]


def _sign(standings: Standings, converse: Standing, rival: Standing, measure) -> int:
    difference = compare(converse.score(measure), rival.score(measure))
    value = standings.sign(measure) * difference.value if difference else 0
    return (value > 0) - (value < 0)


def _ratios(converse: Standing, rival: Standing) -> list[Ratio]:
    found = []
    for name, unit, keys in PRICES:
        own, other = converse.price(*keys), rival.price(*keys)
        if own is None or not other:
            continue
        show = wording.whole if name == "parameters" else wording.with_prefix if not unit else wording.rounded
        detail = f"{show(own)} against {show(other)} {unit}".strip()
        found.append(Ratio(name, own / other, detail))
    return found


def _gains(standings: Standings) -> list[str]:
    """Every scored entrant against the baseline."""
    baseline, measure = standings.baseline(standings.first), standings.first
    if baseline is None or not standings.scored:
        return []
    sign, name = standings.sign(measure), standings.baseline_name
    gains = [(entrant, gap(entrant.score(measure).mean, baseline)) for entrant in standings.scored]
    worse = [entrant.name for entrant, gain in gains if sign * gain <= 0]
    best, most = gains[0]
    sentences = []
    if sign * most > 0:
        amount = wording.metric(measure, abs(most)) + wording.unit(measure)
        sentences.append(f"The best of all, {best.name}, improves on {name} by {amount}.")
    if worse:
        verb = "does" if len(worse) == 1 else "do"
        sentences.append(f"{wording.listed(worse)} {verb} not improve on {name}.")
    return sentences


def _missing(standings: Standings) -> list[str]:
    total = sum(len(entrant.runs) for entrant in standings.entrants)
    sentences = []
    if standings.unfinished:
        names = sorted({entrant.name for entrant, _, _ in standings.unfinished})
        sentences.append(
            f"{len(standings.unfinished)} of {total} runs are missing ({wording.listed(names)}): "
            "means are over the finished runs only, and the order may change."
        )
    unmeasured = [entrant.name for entrant in standings.entrants if entrant.cost is None]
    if unmeasured:
        sentences.append(f"Costs are not measured yet for {wording.listed(unmeasured)}.")
    return sentences


def _caveats(standings: Standings) -> list[str]:
    benchmark = standings.benchmark
    seeds = len(benchmark["seeds"])
    budget = budget_in_words(benchmark)
    caveats = []
    if _has_infinite_scores(standings):
        caveats.append(
            "An infinite PSNR is that of an image that is restored exactly; a mean with it is infinite, whatever the "
            "other images are, and is left out of the pictures."
        )
    if seeds == 1:
        caveats.append("One seed only: without a spread over seeds it cannot be told whether a difference is chance.")
    else:
        rough = "; from so few it is itself rough" if seeds < 5 else ""
        caveats.append(
            f"The spread is the sample standard deviation over up to {seeds} seeds{rough}. A difference counts as "
            "within the spread if it is at most the standard deviation of the difference of two single runs."
        )
    caveats.append(
        f"Every network had {budget} and the same recipe, which was not tuned for each: a longer training or another "
        "learning rate may change the order."
    )
    if "iterations" in (benchmark.get("budget") or {}):
        caveats.append("Equal iterations are not equal time: see the curves over wall time.")
    else:
        caveats.append("Equal time is not equal iterations: a faster network has seen more images.")
    images = _images(standings)
    if images:
        caveats.append(f"Quality is over {images} validation images in all.")
    caveats.append(
        "Latency, training step and memory hold for this machine, this input size and these versions. FLOPs are "
        "multiply-adds and say little about time."
    )
    return caveats


def _has_infinite_scores(standings: Standings) -> bool:
    scores = [entrant.score(measure) for entrant in standings.scored for measure in standings.measures]
    values = [score.mean for score in scores if score] + [standings.baseline(one) for one in standings.measures]
    return any(value is not None and math.isinf(value) for value in values)


def _images(standings: Standings) -> int:
    sets = (standings.benchmark.get("baseline") or {}).get("sets") or {}
    return sum(len((part or {}).get("images") or {}) for part in sets.values())
