"""The application as both servers load it, without a line of log for each request."""

import structlog

from service.app import build_app
from service.settings import Settings

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
app = build_app(Settings())
