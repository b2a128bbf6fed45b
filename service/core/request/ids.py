"""Names in requests: any spelling is taken, and what is meant by it is looked up in the catalog.

The types say what each member names, so that `service.core.request.names` finds them all.
"""

from typing import Annotated, Any, Final, TypeAlias

from msgspec import Meta

from service.core.names.kinds import NameKind
from service.core.request.wire import PRINTABLE

NAMES: Final = "names"
"""The key under which a type says what it names."""


def naming(kind: NameKind) -> dict[str, Any]:
    """What the type of a name says beside its form."""
    return {NAMES: kind}


AcceleratorName: TypeAlias = Annotated[str, PRINTABLE, Meta(extra=naming("accelerator"))]
GenerationName: TypeAlias = Annotated[str, PRINTABLE, Meta(extra=naming("generation"))]
OfferName: TypeAlias = Annotated[str, PRINTABLE, Meta(extra=naming("offer"))]
BookRateName: TypeAlias = Annotated[str, PRINTABLE, Meta(extra=naming("book_rate"))]
ModelName: TypeAlias = Annotated[str, PRINTABLE, Meta(extra=naming("model"))]
SiteName: TypeAlias = Annotated[str, PRINTABLE, Meta(extra=naming("site"))]
RunName: TypeAlias = Annotated[str, PRINTABLE, Meta(extra=naming("run"))]
ProviderName: TypeAlias = Annotated[str, PRINTABLE, Meta(extra=naming("provider"))]
RegionName: TypeAlias = Annotated[str, PRINTABLE, Meta(extra=naming("region"))]
