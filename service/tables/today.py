"""A quote on the day that it is read, in words for a terminal: ages of its prices, and cautions."""

from collections.abc import Iterator

from rich.console import Console

from service.core.answer import Today


def print_today(out: Console, today: Today) -> None:
    """How old the prices are, and whether the quote is still valid."""
    for words in ages_in_words(today):
        out.print(words, style="dim", markup=False, highlight=False)
    for caution in today.cautions:
        out.print(f"{caution.code} {caution.detail}", style="yellow", markup=False, highlight=False)


def ages_in_words(today: Today) -> Iterator[str]:
    """One line for each accelerator with prices of the catalog."""
    for one in today.prices:
        yield (
            f"prices of {one.accelerator} on {today.on}: the middle one is {one.median_days} days "
            f"old, the oldest {one.oldest_days}"
        )
