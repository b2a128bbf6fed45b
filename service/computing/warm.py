"""Imported by the process that workers are forked from, so that each begins warm."""

from service.computing.warming import warm_up
from service.computing.worker import embedded_workshop

own = embedded_workshop()
warm_up(engine=own.engine, catalog=own.catalog, memo=own.memo)
