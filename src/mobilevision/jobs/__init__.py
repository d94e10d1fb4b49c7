"""Work in other processes: one with a time limit and a log; many, on this machine or on a Ray cluster."""

from mobilevision.jobs.many import Done, Local, Workers
from mobilevision.jobs.single import call, call_timed

__all__ = ["Done", "Local", "Workers", "call", "call_timed"]
