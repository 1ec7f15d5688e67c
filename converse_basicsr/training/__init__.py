"""Training and testing: the loop, its states, its data order, and the display in the terminal.

Models, data sets, losses, metrics and prefetchers are those of BasicSR.
"""

from ..compat import load_basicsr

load_basicsr()
