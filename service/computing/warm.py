"""Imported by the process that workers are forked from, so that each begins warm.

Workers take the priority of that process. It is low, so that costly quotes take what CPU others
leave, and a probe or a cheap quote on the same core does not wait for them.
"""

import gc
import os
from typing import Final

from service.computing.warming import warm_up
from service.computing.worker import embedded_workshop

NICENESS: Final = 5
"""With it, a worker gets a quarter of a core that somebody else wants as well: a busy neighbour
slows costly quotes, but does not stop them."""

os.nice(NICENESS)
own = embedded_workshop()
warm_up(engine=own.engine, catalog=own.catalog, memo=own.memo)
gc.freeze()  # no worker looks for cycles in what lasts, or copies its pages in doing so
