"""A kept quote in forms that people read, attach and import.

Every form is a function of the bytes of the answer alone: it reads no catalog, no clock and no
settings. The answer is decoded once into a `Sheet`, and all forms are made from that.
"""
