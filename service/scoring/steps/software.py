"""The software of a measured step, as its source words it: framework, date, kernels."""

import re
from typing import Final

from service.core.figures.vocabulary import AttentionKernel, Framework, FrameworkName
from service.scoring.steps.measurements import Measurement

FRAMEWORK_BY_WORDS: Final[tuple[tuple[tuple[str, ...], Framework], ...]] = (
    (("megatron", "nemo", "neuronx"), "megatron"),
    (("torchtitan", "torchtune", "torchao", "prime-rl", "torch.compile", "fsdp2"), "torch_compile"),
    (("deepspeed", "zero-"), "deepspeed"),
    (("unsloth", "liger", "foak", "scattermoe"), "hf_fused"),
    (("hf_", "hf ", "hf+", "transformers", "trl", "axolotl", "llama-factory", "peft"), "hf_eager"),
    (("fsdp", "llm-foundry", "mosaic", "litgpt", "lightning", "ddp", "eager"), "fsdp_eager"),
)
"""The framework by words of the source, the most specific first. None of them: Megatron."""
STACK_BY_WORD: Final[tuple[tuple[str, FrameworkName], ...]] = (
    ("llm-foundry", "llm_foundry"),
    ("mosaic", "llm_foundry"),
    ("litgpt", "litgpt"),
)
"""Stacks that train a model of their own, whose kernels their kind does not say."""
KERNEL_BY_WORDS: Final[tuple[tuple[tuple[str, ...], AttentionKernel], ...]] = (
    (("flash_attention_4", "flash-attn-4", "fa4"), "flash_4"),
    (("flash_attention_3", "flash-attn-3", "fa3"), "flash_3"),
    (("flash_attention_2", "flash-attn-2", "fa2", "sdpa", "te"), "flash_2"),
    (("flash", "xformers", "triton", "fused"), "flash_1"),
    (("eager", "math", "naive"), "unfused"),
)
ARXIV = re.compile(r"arXiv[: ]*(\d\d)(\d\d)\.")
NEMO = re.compile(r"NeMo(?:\D*)? (\d\d)\.(\d\d)")
YEAR = re.compile(r"\b(20[12]\d)(?:[-/](\d\d))?\b")
DATED: Final[tuple[tuple[str, float], ...]] = (
    ("Narayanan et al. 2021", 2021.25),
    ("Megatron-DeepSpeed", 2022.0),
    ("llm-foundry", 2023.5),
    ("r0.8", 2024.6),
    ("TE 2.11", 2026.0),
    ("TE 2.", 2025.5),
    ("torchtitan", 2025.0),
    ("NeMo RL", 2025.8),
)
"""Years of software without a date in its name, by words of its source."""
MATURE_YEAR: Final = 2025.5
"""Software without any date: unknown, hence a stack with what has been usual for years."""
PUBLISHED_LATER: Final = 0.5
"""Years from a run to what is published of it."""
MONTHS: Final = 12


def framework_of(row: Measurement) -> Framework:
    """The kind of framework that a row was measured with, by the words of its source.

    The Trainer of Hugging Face with DeepSpeed is the one or the other by whether
    there are states for it to shard.
    """
    if row.on_xla:
        return "xla"
    shards = bool(row.parallelism.zero_stage) or not row.has_adapters
    for text in (row.framework, row.software, row.notes):
        framework = framework_by_words(text or "", otherwise="megatron")
        if framework == "hf_eager" and shards and "deepspeed" in row.words:
            return "deepspeed"
        if framework != "megatron" or "megatron" in (text or "").lower():
            return framework
    return "megatron"


def framework_by_words(named: str, *, otherwise: Framework) -> Framework:
    """The kind of framework that these words name, if they name any."""
    for words, framework in FRAMEWORK_BY_WORDS:
        if any(word in named.lower() for word in words):
            return framework
    return otherwise


def stack_by_words(named: str, *, otherwise: Framework) -> FrameworkName:
    """The named stack, where it is one with a model of its own, else the kind of framework."""
    for word, stack in STACK_BY_WORD:
        if word in named.lower():
            return stack
    return framework_by_words(named, otherwise=otherwise)


def kernel_of(row: Measurement) -> AttentionKernel | None:
    """The attention kernel that a row names. None: that of the year."""
    return kernel_by_words(row.attention_kernel or "")


def kernel_by_words(named: str) -> AttentionKernel | None:
    """The attention kernel that these words name, if they name any."""
    text = named.lower()
    for words, kernel in KERNEL_BY_WORDS:
        if any(word in text for word in words):
            return kernel
    return None


def software_year(row: Measurement, *, released: float) -> float:
    """When the software of a row was released, as a year with its fraction.

    The date of the software counts first, then a version that is a date, a dated name, and the date
    of the source, less the time that publishing takes. Software of no date is mature. No software
    is older than the device.
    """
    return max(_printed_year(row) or MATURE_YEAR, released)


def _printed_year(row: Measurement) -> float | None:
    if row.software_date and (found := YEAR.search(row.software_date)):
        return _year(found[1], found[2])
    source = row.source
    printed = f"{row.software or ''} {source.title or ''} {source.table or ''}"
    return _year_of_software(row, printed) or _year_of_source(
        f"{printed} {source.url or ''}", dates=f"{row.date or ''} {source.date or ''} {printed}"
    )


def _year_of_software(row: Measurement, printed: str) -> float | None:
    if found := NEMO.search(printed):
        return _year(f"20{found[1]}", found[2])
    for name, year in DATED:
        if name.lower() in printed.lower():
            return year
    if found := YEAR.search(f"{row.framework_version or ''} {row.software or ''}"):
        return _year(found[1], found[2])
    return None


def _year_of_source(text: str, *, dates: str) -> float | None:
    """The date of a paper by its number or of a page by what it prints, less half a year."""
    if found := ARXIV.search(text):
        return _year(f"20{found[1]}", found[2]) - PUBLISHED_LATER
    if found := YEAR.search(dates):
        return _year(found[1], found[2]) - PUBLISHED_LATER
    return None


def year_of(text: str) -> float | None:
    """The first year in a text, with its month if there is one."""
    found = YEAR.search(text)
    return _year(found[1], found[2]) if found else None


def _year(year: str, month: str | None) -> float:
    """A year and a month as one number; without a month, its middle."""
    whole = min(max(int(month), 1), MONTHS) - 1 if month else MONTHS / 2
    return int(year) + whole / MONTHS
