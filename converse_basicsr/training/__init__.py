"""Training and testing: the loop, its states, its data order, and what the terminal shows. Models, data sets, losses,
metrics and prefetchers are BasicSR's."""

from ..compat import load_basicsr

load_basicsr()
