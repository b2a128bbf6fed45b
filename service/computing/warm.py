"""Imported by the process that workers are forked from, so that each begins with a catalog."""

from service.computing.worker import warm

warm()
