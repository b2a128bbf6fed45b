"""`make bench`: what a request costs, in process and on the wire."""

from tests.bench.batches import batches
from tests.bench.comparing import comparing
from tests.bench.estimates import estimates
from tests.bench.in_process import in_process
from tests.bench.joint_draws import joint_draws
from tests.bench.layouts import layouts
from tests.bench.memory import memory
from tests.bench.on_the_wire import on_the_wire

if __name__ == "__main__":
    in_process()
    joint_draws()
    layouts()
    comparing()
    estimates()
    memory()
    on_the_wire()
    batches()
