"""The files of `service/data` as one `Catalog`. A bad file stops the start of the service.

All problems of all files are reported at once, each with its file and row.
"""

from itertools import chain
from pathlib import Path

import msgspec

from service.catalog_files.assumptions import read_assumptions
from service.catalog_files.devices.accelerators import read_accelerators
from service.catalog_files.devices.generations import read_generations
from service.catalog_files.disclosed.claims import read_claims
from service.catalog_files.disclosed.runs import read_aliases, read_runs
from service.catalog_files.engine import error_figures, read_engine
from service.catalog_files.exclusions import read_exclusions
from service.catalog_files.files import DataFiles
from service.catalog_files.market.billing import read_billing
from service.catalog_files.market.book import read_book
from service.catalog_files.market.commitments import read_commitments, usual_commitments
from service.catalog_files.market.offers import (
    by_accelerator,
    in_dollars,
    read_offers,
    read_providers,
)
from service.catalog_files.market.prices import (
    read_consumer_prices,
    read_exchange_rates,
    read_price_history,
    read_spot_reclaims,
)
from service.catalog_files.market.purchases import purchase_prices, purchases, rows_by_board
from service.catalog_files.market.systems import read_systems
from service.catalog_files.models import read_models
from service.catalog_files.observed import asked_prices_in, observed_in
from service.catalog_files.ranges import read_ranges
from service.catalog_files.sites import known_regions, read_areas, read_fleet_pues, read_sites
from service.catalog_files.sources import read_sources
from service.catalog_files.spellings import read_spellings
from service.catalog_files.texts import NOTHING, CatalogError, Problem, Texts
from service.core.catalog.catalog import Catalog
from service.core.catalog.known import past_offers
from service.core.catalog.market import listed_offers

__all__ = ["DATA_DIRECTORY", "CatalogError", "Problem", "load_catalog"]

DATA_DIRECTORY = Path(__file__).resolve().parent.parent / "data"


def load_catalog(
    directory: Path | None = None, *, overlay: Texts = NOTHING, book: Texts = NOTHING
) -> Catalog:
    """The catalog in `directory`, by default the embedded one. Raises `CatalogError`.

    `overlay` has the files of a later edition, whose rows are added, and `book` those of a price
    book. The digest covers the name and the text of every data file, those of both included, in a
    form that does not depend on the operating system. Two catalogs with one digest are the same.
    """
    files = DataFiles(directory or DATA_DIRECTORY, overlay=overlay, book=book)
    sources, ranges = read_sources(files), read_ranges(files)
    assumptions = read_assumptions(files, ranges)
    accelerators = read_accelerators(files, sources, ranges, assumptions)
    providers = read_providers(files)
    offers = read_offers(files, sources, accelerators, providers, ranges)
    history = read_price_history(files, sources, ranges, accelerators, providers)
    past = {row.id: row for row in past_offers(chain.from_iterable(history.values()))}
    usd_by_offer = in_dollars(offers | past, assumptions)
    price_rows = by_accelerator(offers, usd_by_offer)
    commitments = read_commitments(files, sources, accelerators, providers, ranges)
    boards = rows_by_board(files, accelerators)
    aliases = read_aliases(files, accelerators)
    runs = read_runs(files, aliases, ranges)
    engine = read_engine(files, accelerators)
    sites, models = read_sites(files, sources, ranges), read_models(files, ranges)
    areas = read_areas(files)
    regions = known_regions((offer.region for offer in offers.values()), areas)
    spellings = read_spellings(
        files,
        {
            "accelerator": accelerators,
            "model": models,
            "provider": providers,
            "region": sorted(regions),
        },
        aliases=aliases,
        providers=providers,
        sites=sites,
    )
    catalog = Catalog(
        version=files.edition.version,
        published_at=files.edition.published_at,
        digest=files.digest(),
        accelerators=accelerators,
        providers=providers,
        offers=offers,
        sites=sites,
        models=models,
        runs=runs,
        assumptions=error_figures(engine, as_of=files.edition.date) | assumptions,
        price_rows=price_rows,
        usd_by_offer=usd_by_offer,
        regions=regions,
        areas=areas,
        accelerator_aliases=aliases,
        spellings=spellings,
        fleet_pues=read_fleet_pues(files, sources, ranges),
        spot_reclaims=read_spot_reclaims(files, sources, accelerators, providers),
        price_history=history,
        billing=read_billing(files, sources, providers, ranges),
        commitments=commitments,
        usual_commitments=usual_commitments(commitments, providers),
        exchange_rates=read_exchange_rates(files, sources, ranges),
        purchases=purchases(boards),
        consumer_prices=read_consumer_prices(files, sources, ranges),
        exclusions=read_exclusions(files, runs),
        purchase_prices=purchase_prices(boards, ranges, accelerators),
        systems=read_systems(files, sources, ranges, accelerators),
        claims=read_claims(files, runs),
        book=read_book(files, accelerators),
        engine=engine,
        policy=files.edition.policy,
    )
    files.raise_problems()
    catalog = msgspec.structs.replace(catalog, listed=listed_offers(catalog, price_rows))
    return msgspec.structs.replace(
        catalog,
        observed=observed_in(catalog),
        asked_prices=asked_prices_in(catalog),
        generations=read_generations(
            accelerators, catalog.purchase_prices, as_of=files.edition.date
        ),
    )
