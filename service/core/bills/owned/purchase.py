"""The purchase of a cluster, by the parts that both conventions of write-off have."""

from typing import NamedTuple

from service.core.figures.arrays import Real


class Purchase(NamedTuple):
    """Purchase of a cluster in US dollars, in parts and in sum."""

    accelerators_usd: Real
    servers_usd: Real
    network_usd: Real
    total_usd: Real
