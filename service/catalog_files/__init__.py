"""The files of `service/data` as one `Catalog`; a bad file stops the start, not a request.

Everything that is wrong in any file is reported at once, each with its file and row.
"""

from pathlib import Path

from service.catalog_files.accelerators import read_accelerators
from service.catalog_files.assumptions import read_assumptions
from service.catalog_files.engine import read_engine
from service.catalog_files.exclusions import read_exclusions
from service.catalog_files.files import CatalogError, DataFiles, Problem
from service.catalog_files.models import read_models
from service.catalog_files.offers import by_accelerator, read_offers, read_providers
from service.catalog_files.prices import read_price_history, read_spot_reclaims
from service.catalog_files.runs import read_aliases, read_runs
from service.catalog_files.sites import read_fleet_pues, read_sites
from service.catalog_files.sources import read_sources
from service.core.catalog import Catalog

__all__ = ["DATA_DIRECTORY", "CatalogError", "Problem", "load_catalog"]

DATA_DIRECTORY = Path(__file__).resolve().parent.parent / "data"


def load_catalog(directory: Path | None = None) -> Catalog:
    """The catalog in `directory`, by default the embedded one; `CatalogError` if it is not sound.

    The digest covers the name and the text of every data file below `directory`, in a form that
    does not depend on the operating system; two catalogs with one digest are the same catalog.
    """
    files = DataFiles(directory or DATA_DIRECTORY)
    sources = read_sources(files)
    accelerators = read_accelerators(files, sources)
    providers = read_providers(files)
    offers = read_offers(files, sources, accelerators, providers)
    aliases = read_aliases(files, accelerators)
    runs = read_runs(files, aliases)
    catalog = Catalog(
        version=files.edition.version,
        published_at=files.edition.published_at,
        digest=files.digest(),
        accelerators=accelerators,
        providers=providers,
        offers=offers,
        sites=read_sites(files, sources),
        models=read_models(files),
        runs=runs,
        assumptions=read_assumptions(files),
        price_rows=by_accelerator(offers),
        regions=frozenset(offer.region for offer in offers.values()),
        accelerator_aliases=aliases,
        fleet_pues=read_fleet_pues(files, sources),
        spot_reclaims=read_spot_reclaims(files, sources, accelerators, providers),
        price_history=read_price_history(files, sources, accelerators),
        engine=read_engine(files),
        exclusions=read_exclusions(files, runs),
    )
    files.raise_problems()
    return catalog
