"""How a benchmark was measured and what its table shows."""

from . import wording
from .comparing import against
from .standings import Standings


def legend(standings: Standings) -> str:
    """What the columns of the table are."""
    reference = against(standings)
    sentences = [
        "± is the sample standard deviation over seeds; without it there is one finished run.",
        f"Changes are in {wording.label(standings, standings.first)}.",
    ]
    if reference:
        kind = "rival" if reference is standings.rival else "entrant"
        sentences.append(f"{reference.name} is the best {kind}; ≈ is a difference within the spread over seeds.")
    sentences.append(
        f"FLOPs are multiply-adds; they, activations, latency and memory are for {_inputs(standings)}. "
        "Times are the median and, in brackets, the quartiles; memory is the peak."
    )
    return " ".join(sentences)


def unfinished_lines(standings: Standings) -> list[str]:
    return [
        f"{entrant.name}, seed {seed}: {run['status']}" + (f" ({run['reason']})" if run.get("reason") else "")
        for entrant, seed, run in standings.unfinished
    ]


def facts(standings: Standings) -> dict[str, str]:
    """The protocol and the environment, as pairs of strings."""
    benchmark = standings.benchmark
    found = {
        "command": benchmark.get("command"),
        "option file": benchmark.get("file"),
        "budget of each run": budget_in_words(benchmark),
        "seeds": ", ".join(map(str, benchmark["seeds"])),
        "validation sets": ", ".join(benchmark["sets"]),
        "metrics": ", ".join(benchmark["metrics"]),
        "scale": benchmark.get("scale"),
        "baseline": standings.baseline_name,
        "started": benchmark.get("started"),
        "finished": benchmark.get("finished") or "not yet",
        **standings.environment,
        "costs measured on": _cost_environments(standings),
    }
    return {key: str(value) for key, value in found.items() if value is not None}


def _cost_environments(standings: Standings) -> str | None:
    """Where costs were measured, if it was not all where and when the benchmark began."""

    def told(environment: dict) -> str:
        known = [environment.get(key) for key in ("hardware", "commit", "date")]
        return ", ".join(filter(None, known))

    places = {told(entrant.cost.get("environment") or {}) for entrant in standings.entrants if entrant.cost}
    places -= {""}  # not noted by earlier versions
    return "; ".join(sorted(places)) if places - {told(standings.environment)} else None


def _inputs(standings: Standings) -> str:
    """1x3x64x64, as the costs say."""
    sizes = {"x".join(map(str, entrant.cost["input"])) for entrant in standings.entrants if entrant.cost}
    return f"an input of {wording.listed(sorted(sizes))}" if sizes else "an input of one size (not measured yet)"


def budget_in_words(benchmark: dict) -> str:
    budget = benchmark.get("budget") or {}
    return " and ".join(f"{value:,} {unit}" for unit, value in budget.items()) or "the same budget"
