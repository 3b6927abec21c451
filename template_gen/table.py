"""Rows of a Markdown table, in one of the two languages."""

from __future__ import annotations

from collections.abc import Iterable

from contract.text import Text

LANGUAGES = {"en": "", "ja": ".ja"}
"""`Text`'s attribute, and what stands before `.md` in the names of that language's pages."""


def in_language(text: Text, language: str) -> str:
    """Return a text in "en" or "ja"."""
    return {"en": text.en, "ja": text.ja}[language]


def head(texts: Iterable[Text], language: str) -> list[str]:
    """Return the two lines above a table's rows."""
    names = [in_language(text, language) for text in texts]
    return [row(*names), "|" + "---|" * len(names)]


def row(*cells: str) -> str:
    """Return one row."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
