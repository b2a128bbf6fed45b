"""The kinds of names that a request may hold."""

from typing import Literal, TypeAlias

NameKind: TypeAlias = Literal[
    "accelerator",
    "generation",
    "offer",
    "book_rate",
    "model",
    "site",
    "run",
    "provider",
    "region",
]
