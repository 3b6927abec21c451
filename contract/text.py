"""A sentence in the product's two languages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """The same sentence in English and in Japanese; str() shows both, as the form does.

    English first: it survives where another script does not.
    """

    en: str
    ja: str

    def __str__(self) -> str:
        return f"{self.en} / {self.ja}"
