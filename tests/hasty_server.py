"""`runquote serve` with limits that are over within a test: seconds are tenths of them.

`python -m tests.hasty_server` starts it. The RUNQUOTE_* settings are those of any other.
"""

import os
from typing import Final

from service.serving.limits import Limits
from service.serving.process import serve
from service.settings import load_settings

HASTY: Final = Limits(
    head_s=1.0, request_s=3.0, stall_s=3.0, keep_alive_s=1, connections=200, linger_s=1.0
)

if __name__ == "__main__":
    serve(load_settings(os.environ), HASTY)
