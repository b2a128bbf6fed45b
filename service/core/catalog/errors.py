"""Why a request cannot be quoted, in the words of the domain; nothing here knows of HTTP."""

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from service.core.names.names import Names
from service.core.names.spelling import APART, dashed

NOT_MODELLED: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "vision towers are not modelled by name alone: describe a transformer with "
        "`vision`": frozenset(
            ("vl", "vlm", "vision", "multimodal", "llava", "internvl", "pixtral", "paligemma",
             "idefics", "molmo", "cogvlm", "minicpmv", "mllama", "blip", "blip2", "smolvlm")
        ),
        "models that draw are not modelled": frozenset(
            ("sd", "sdxl", "sd3", "flux", "diffusion", "stablediffusion", "dit", "wan", "cogvideox",
             "hunyuanvideo", "ltx", "pixart", "kandinsky", "sora", "video")
        ),
        "models that hear or speak are not modelled": frozenset(
            ("omni", "audio", "whisper", "wav2vec", "wav2vec2", "hubert", "tts", "speech",
             "musicgen", "seamless", "bark", "asr")
        ),
        "encoders of images are not modelled": frozenset(
            ("clip", "vit", "siglip", "siglip2", "dinov2", "dinov3", "sam", "sam2", "convnext",
             "resnet", "swin")
        ),
    }
)  # fmt: skip
"""What is not modelled, by words in the names of models that are that."""


class Portable(Exception):
    """An exception that is the same after it has passed from one process to another"""

    def __reduce__(self) -> tuple[Any, ...]:
        """How it is made again: without its constructor, with all that it holds."""
        return _made_again, (type(self), self.args, self.__dict__)


def _made_again(kind: type[Portable], arguments: tuple[Any, ...], held: dict[str, Any]) -> Portable:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(held)
    return error


class QuoteError(Portable):
    """The request cannot be quoted"""

    def __init__(self, detail: str, *, pointer: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointer


class UnknownName(QuoteError):
    """The catalog has nothing of this name"""

    what = "entry"

    def __init__(self, *, asked: str, known: Names, pointer: str) -> None:
        self.asked = asked
        self.nearest = known.nearest(asked)
        meant = known.meant(asked)
        if meant:
            close = f"it may be {' or '.join(meant)}"
        elif self.nearest:
            close = f"the nearest known are {', '.join(self.nearest)}"
        else:
            close = "none is known"
        apart = "" if meant else self.apart(asked)
        super().__init__(f"no {self.what} {asked!r}{apart}; {close}", pointer=pointer)

    def apart(self, asked: str) -> str:  # noqa: ARG002 - some kinds of names say more
        """What is said of the asked name alone."""
        return ""


class UnknownAccelerator(UnknownName):
    """The catalog has no accelerator of this id"""

    what = "accelerator"


class UnknownGeneration(UnknownName):
    """The catalog has no generation of devices of this name"""

    what = "generation"


class UnknownOffer(UnknownName):
    """The catalog has no offer of this id"""

    what = "offer"


class UnknownBookRate(UnknownName):
    """The price book has no rate of this name"""

    what = "rate of a price book"


class UnknownModel(UnknownName):
    """The catalog has no model of this id"""

    what = "model"

    def apart(self, asked: str) -> str:
        """What is not modelled of it, if its name says so."""
        words = {word.rstrip("0123456789") or word for word in dashed(asked).split(APART)}
        words |= set(dashed(asked).split(APART))
        return next((f"; {why}" for why, of in NOT_MODELLED.items() if words & of), "")


class UnknownSite(UnknownName):
    """The catalog has no site of this id"""

    what = "site"


class UnknownRun(UnknownName):
    """The catalog has no reference run of this id"""

    what = "reference run"


class UnknownEdition(UnknownName):
    """The service has no edition of the catalog of this version"""

    what = "edition of the catalog"
    most_listed = 20

    def __init__(self, *, asked: str, known: Iterable[str], pointer: str) -> None:
        self.asked = asked
        self.nearest = tuple(known)[: self.most_listed]
        QuoteError.__init__(
            self, f"no {self.what} {asked!r}; there are {', '.join(self.nearest)}", pointer=pointer
        )


class UnknownProvider(UnknownName):
    """The catalog has no provider of this id"""

    what = "provider"


class UnknownRegion(UnknownName):
    """No area has this name, and no offer of the catalog is in a region of this code"""

    what = "region"


class BaseQuoteNotKept(QuoteError):
    """The quote that the base model is taken from is not kept"""

    def __init__(self, *, asked: str, pointer: str) -> None:
        self.asked = asked
        super().__init__(
            f"quote {asked} is not kept; post its request again, then this one", pointer=pointer
        )


class NamedQuoteNotKept(QuoteError):
    """A quote that the request names is not kept"""

    def __init__(self, *, asked: str, pointer: str) -> None:
        self.asked = asked
        super().__init__(
            f"quote {asked} is not kept; name it by its request instead, or post that again",
            pointer=pointer,
        )


class UnknownStage(UnknownName):
    """The run has no stage of this name"""

    what = "stage"


class SpeedAbovePeak(QuoteError):
    """A measured speed is above what the device can compute at its peak"""

    def __init__(
        self, *, tokens_per_s: float, peak_tokens_per_s: float, device: str, pointer: str
    ) -> None:
        super().__init__(
            f"{tokens_per_s:,.6g} tokens/s per device are above the {peak_tokens_per_s:,.6g} that"
            f" {device} computes of this model at its dense peak, an MFU of"
            f" {tokens_per_s / peak_tokens_per_s:.3g}; give the speed of one device, not of all",
            pointer=pointer,
        )


class StageCycle(QuoteError):
    """Stages wait for each other in a circle"""

    def __init__(self, *, name: str, pointer: str) -> None:
        super().__init__(f"stage {name!r} waits, through others, for itself", pointer=pointer)


class TooMuchToCompute(QuoteError):
    """The quote takes more computing than one request may"""

    def __init__(self, *, seconds: float, most_seconds: float, stages: int, pointer: str) -> None:
        requests = math.ceil(seconds / most_seconds)
        if requests <= stages:
            advice = (
                f"ask for its {stages} stages in {requests} requests of at most"
                f" {math.ceil(stages / requests)} each"
            )
        else:
            advice = "state layouts and splits, so that none is searched for"
        super().__init__(
            f"this takes about {seconds:.1f} seconds of a processor, and one request may take"
            f" {most_seconds:g}; {advice}",
            pointer=pointer,
        )


class NotQuotable(Portable):
    """Everything that keeps a request from being quoted, all at once"""

    def __init__(self, errors: tuple[QuoteError, ...]) -> None:
        super().__init__("; ".join(error.detail for error in errors))
        self.errors = errors
