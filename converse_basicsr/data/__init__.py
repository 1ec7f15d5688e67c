"""Data sets, registered with BasicSR: every ``*_dataset.py`` here."""

from ..compat import load_basicsr
from ..registration import import_modules

load_basicsr()
import_modules(__name__, __path__, "_dataset")
