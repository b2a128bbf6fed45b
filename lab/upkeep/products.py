"""What is generated, in the order in which one follows from another.

A product is the files that one command makes. Where making it takes minutes, its module has a
`witness`: in a second it says everything that the product hangs on, such as what the engine answers
on each row of a fit. As long as the witness says the same, the product would come out the same.
"""

import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple, Protocol, cast

from lab.files import ROOT, Texts
from lab.upkeep.agreement import Tolerance
from lab.upkeep.digests import (
    code_digest,
    digest_of,
    files_digest,
    text_digest,
    with_imported,
)
from service.catalog_files import load_catalog
from service.core.catalog.catalog import Catalog


class Maker(Protocol):
    """A module that makes the files of a product."""

    def made(self, catalog: Catalog) -> Texts:
        """The files, and what is to stand in them."""


class Witnessed(Maker, Protocol):
    """A module that can say in a second what its files, which take minutes, hang on."""

    def witness(self, catalog: Catalog) -> Iterable[str]:
        """What the files hang on, as lines."""


class Product(NamedTuple):
    """The files that one command makes, and what it reads for them.

    `reads` are patterns of files; one that begins with `!` takes files out again. A pattern with a
    wildcard leaves out what the product itself or a later one writes, so that a file which is read
    and written is named in full.
    """

    name: str
    module: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    fitted_by: tuple[str, ...] = ()  # of a dear product: the modules beside what its witness tells
    tolerance: Tolerance = Tolerance()
    prints_code: bool = False  # docstrings and the places of functions move it

    @property
    def is_dear(self) -> bool:
        """Whether making it is a fit, so that it has a witness."""
        return bool(self.fitted_by)

    @property
    def files(self) -> tuple[Path, ...]:
        """What it writes."""
        return tuple(ROOT / name for name in self.writes)

    def inputs_digest(self) -> str:
        """A digest over the code that makes it, and the files that it reads."""
        modules = with_imported(self.module)
        code = text_digest(*modules) if self.prints_code else code_digest(*modules)
        return digest_of((code, files_digest(self._read())))

    def outputs_digest(self) -> str:
        """A digest over the files as they are."""
        return files_digest(self.files)

    def witness_digest(self) -> str:
        """A digest over what a dear product hangs on: what its witness says, and who fits."""
        if not self.is_dear:
            return ""
        said = cast("Witnessed", self._maker()).witness(load_catalog())
        return digest_of((code_digest(*self.fitted_by), *said))

    def made(self) -> Texts:
        """Its files as they come out today."""
        return self._maker().made(load_catalog())

    def _maker(self) -> Maker:
        return cast("Maker", importlib.import_module(self.module))

    def _read(self) -> set[Path]:
        later = {file for one in PRODUCTS[PRODUCTS.index(self) :] for file in one.files}
        found = set[Path]()
        for pattern in self.reads:
            if pattern.startswith("!"):
                found -= set(ROOT.glob(pattern[1:]))
            elif "*" in pattern:
                found |= {path for path in ROOT.glob(pattern) if path.is_file()} - later
            else:
                found.add(ROOT / pattern)
        return found


DATA: Final = (
    "service/data/**/*.toml",
    "service/data/**/*.csv",
    "service/data/**/*.jsonl",
)
HOURS: Final = (
    *DATA,
    "!service/data/assumptions/price_moves*",
    "!service/data/catalog.toml",
    "!service/data/claims.toml",
    "!service/data/currencies.toml",
    "!service/data/exclusions.toml",
    "!service/data/offers/*",
    "!service/data/prices/*",
    "!service/data/providers.csv",
    "!service/data/scoring/*",
    "!service/data/sites/*",
    "!service/data/sources.csv",
    "!service/data/spot/*",
)
"""What device-hours hang on: all data but prices, sites and where they are from."""
STEPS: Final = (
    *HOURS,
    "!service/data/assumptions/*",
    "!service/data/models/*",
    "!service/data/ranges/*",
    "!service/data/runs/*",
    "lab/data/step_measurements.jsonl",
    "service/data/engine/constants.toml",
    "service/data/engine/effects.toml",
)
"""What the seconds of a step hang on, and what is fitted to them."""

PRODUCTS: Final = (
    Product(
        name="steps fit",
        module="lab.steps.refit",
        reads=STEPS,
        writes=(
            "service/data/engine/constants.toml",
            "service/data/engine/effects.toml",
            "service/data/engine/errors.toml",
            "service/data/engine/covariance.csv",
        ),
        fitted_by=("lab.steps.fit", "lab.steps.refit"),
        tolerance=Tolerance(relative=0.01, absolute=1e-6),
    ),
    Product(
        name="steps report",
        module="lab.steps.report",
        reads=STEPS,
        writes=("service/data/engine/report.md",),
        fitted_by=("lab.steps.fit", "lab.steps.refit", "lab.steps.report"),
        tolerance=Tolerance(relative=0.01, absolute=0.11),
    ),
    Product(
        name="ranges measure",
        module="lab.ranges",
        reads=DATA,
        writes=("service/data/ranges/measured.toml",),
    ),
    Product(
        name="prices fit",
        module="lab.prices.fit",
        reads=DATA,
        writes=("service/data/assumptions/price_moves_fitted.toml",),
        tolerance=Tolerance(relative=0.01),
    ),
    Product(
        name="runs calibrate",
        module="lab.runs.calibration",
        reads=("lab/data/run_spread.toml", "lab/data/reference_runs_more.jsonl", *HOURS),
        writes=("service/data/engine/run_errors.toml",),
    ),
    Product(
        name="post-training fit",
        module="lab.post_training.refit",
        reads=("lab/data/post_training_priors.toml", *HOURS),
        writes=(
            "service/data/assumptions/post_training_fitted.toml",
            "lab/data/post_training_covariance.csv",
            "lab/data/post_training_left_out.csv",
            "lab/data/post_training_report.md",
        ),
        fitted_by=(
            "lab.post_training.fit",
            "lab.post_training.refit",
            "lab.post_training.report",
        ),
        tolerance=Tolerance(relative=0.02, absolute=0.005),
    ),
    Product(
        name="runs predict",
        module="lab.runs.predict_file",
        reads=HOURS,
        writes=("service/data/runs/predicted_runs.csv",),
        tolerance=Tolerance(relative=1e-4),
    ),
    Product(
        name="runs report",
        module="lab.runs.report",
        reads=(
            "lab/data/post_training_left_out.csv",
            "lab/data/reference_runs_more.jsonl",
            "lab/data/run_spread.toml",
            *HOURS,
        ),
        writes=("docs/accuracy-runs.md",),
    ),
    Product(
        name="facts report",
        module="lab.facts.report",
        reads=("lab/data/memory_facts.jsonl", "lab/data/generation_facts.jsonl", *HOURS),
        writes=("docs/accuracy-memory.md",),
    ),
    Product(
        name="contract",
        module="lab.printed.contract",
        reads=(),
        prints_code=True,
        writes=("openapi/openapi.json", "openapi/openapi.yaml"),
    ),
    Product(
        name="claims",
        module="lab.printed.claims",
        reads=DATA,
        writes=("docs/judged-claims.md",),
    ),
    Product(
        name="prices report",
        module="lab.prices.report",
        reads=(*DATA, "docs/market.md"),
        writes=("docs/market.md",),
    ),
    Product(
        name="formulas",
        module="lab.printed.formulas",
        reads=DATA,
        prints_code=True,
        writes=("docs/formulas.md",),
    ),
)
