"""The tests of the service and of the laboratory.

This file makes them a package of their own: gpuhunt installs one of the same name beside its code.
"""
