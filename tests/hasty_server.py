"""`runquote serve` with limits that are over within a test: a tenth of the seconds, or less.

`python -m tests.hasty_server` starts it. The RUNQUOTE_* settings are those of any other.
"""

import os
from typing import Final

from service.serving.limits import Limits
from service.serving.process import serve
from service.settings import load_settings

HASTY: Final = Limits(
    head_s=1.0,
    request_s=3.0,
    stall_s=3.0,
    keep_alive_s=1,
    connections=200,
    linger_s=1.0,
    unread_bytes=16 * 2**20,
    unfinished_bytes=16 * 2**20,
    send_buffer_bytes=16 * 2**10,
)

if __name__ == "__main__":
    serve(load_settings(os.environ), HASTY)
