"""Names of the catalog that a request may hold, as the contract prints them.

They are strings: which names exist changes with the catalog, and the contract does not. Any usual
spelling of a name is taken. What stands for no name is refused with those that it may mean.
"""

from typing import Any, Final

from msgspec import Struct

from service.api.schemas import REFERENCE, Schema, schema_of
from service.core.catalog.catalog import Slug
from service.core.request.ids import (
    AcceleratorName,
    GenerationName,
    ModelName,
    OfferName,
    ProviderName,
    RegionName,
    RunName,
    SiteName,
)


class KnownName(Struct, frozen=True, kw_only=True):
    """One kind of name: its component, where the known ones are read, and one of them."""

    component: str
    what: str
    listed: str
    example: str
    form: Any


ACCELERATOR: Final = KnownName(
    component="AcceleratorId",
    what="The id of an accelerator",
    listed="the `id` of each row of /catalog/accelerators",
    example="nvidia-h100-sxm-80gb",
    form=AcceleratorName,
)
GENERATION: Final = KnownName(
    component="GenerationName",
    what="A generation of accelerators, or `gpu` or `tpu`",
    listed="the `generation` of each row of /catalog/accelerators",
    example="hopper",
    form=GenerationName,
)
OFFER: Final = KnownName(
    component="OfferId",
    what="The id of an offer",
    listed="the `id` of each row of /catalog/offers",
    example="azure-eastus-standard-nd96isr-h100-v5-on-demand-2026-06",
    form=OfferName,
)
MODEL: Final = KnownName(
    component="ModelId",
    what="The id of a model",
    listed="the `id` of each row of /catalog/models",
    example="llama-3.1-8b",
    form=ModelName,
)
SITE: Final = KnownName(
    component="SiteId",
    what="The id of a site",
    listed="the `id` of each row of /catalog/sites",
    example="grid:de",
    form=SiteName,
)
RUN: Final = KnownName(
    component="RunId",
    what="The id of a reference run",
    listed="the `id` of each row of /catalog/runs",
    example="deepseek-v3-pretrain",
    form=RunName,
)
CLAIM: Final = KnownName(
    component="PublishedClaimId",
    what="The id of a published claim",
    listed="the `id` of each row of /catalog/claims",
    example="deepseek-r1-294k",
    form=Slug,
)
PROVIDER: Final = KnownName(
    component="ProviderId",
    what="The id of a seller of device-hours",
    listed="the `provider` of the rows of /catalog/offers",
    example="gcp",
    form=ProviderName,
)
REGION: Final = KnownName(
    component="RegionCode",
    what="A country, a continent, or a region in its seller's own words",
    listed="the `region` of the rows of /catalog/offers",
    example="us-east-1",
    form=RegionName,
)
KNOWN_NAMES: Final = (ACCELERATOR, GENERATION, OFFER, MODEL, SITE, RUN, CLAIM, PROVIDER, REGION)

NAMES_IN_REQUESTS: Final = {
    ("Cluster", "accelerator"): ACCELERATOR,
    ("DescribedAccelerator", "generation"): GENERATION,
    ("CatalogOffer", "id"): OFFER,
    ("Market", "provider"): PROVIDER,
    ("Market", "region"): REGION,
    ("ClusterSite", "id"): SITE,
    ("BaseRuns", "ids"): RUN,
    ("ClaimedRuns", "ids"): RUN,
    ("PresetModel", "id"): MODEL,
    ("Metered", "measured_on"): ACCELERATOR,
    ("Choices", "accelerators"): ACCELERATOR,
    ("Choices", "sellers"): PROVIDER,
    ("Choices", "regions"): REGION,
    ("FindModel", "models"): MODEL,
}
"""The members of requests that hold such a name, or an array of them."""

NAMES_IN_QUERIES: Final = {"accelerator": ACCELERATOR, "provider": PROVIDER, "region": REGION}
"""The filters that take such a name."""


def name_schemas() -> dict[str, Schema]:
    """A component for each kind of name."""
    return {name.component: name_schema(name) for name in KNOWN_NAMES}


def name_schema(name: KnownName) -> Schema:
    """The form of a name, and where the known ones are."""
    return {
        **schema_of(name.form),
        "description": f"{name.what}: {name.listed}. Others are refused with the nearest of them.",
        "examples": [name.example],
    }


def refer_to_names(schemas: dict[str, Schema]) -> None:
    """Let the members that hold such names refer to the components of these names.

    Where an object may stand for a name, the name is the first of two alternatives.
    """
    for (component, member), name in NAMES_IN_REQUESTS.items():
        members = schemas[component]["properties"]
        schema, reference = members[member], {"$ref": REFERENCE + name.component}
        if "anyOf" in schema:
            schema["anyOf"][0] = reference
        elif schema["type"] == "array":
            schema["items"] = reference
        else:
            members[member] = reference
