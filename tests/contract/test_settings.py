from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.settings import EnvSettings, SettingsError, boolean, comma_list, setting
from receiver.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample(EnvSettings):
    """Every kind of setting once."""

    name: str = setting("NAME", str, pattern="[a-z]+", doc="Its name.")
    count: int = setting("COUNT", int, default=5, minimum=1, maximum=9, unit="s", doc="How many.")
    level: str = setting("LEVEL", str, default="LOW", choices=("LOW", "HIGH"), doc="How much.")
    flag: bool = setting("FLAG", boolean, default=False, doc="Whether.")
    items: tuple[str, ...] = setting("ITEMS", comma_list, default=(), maximum=2, doc="Which.")

    def contradictions(self) -> list[str]:
        """Refuse one pair."""
        return ["COUNT=9 and LEVEL=HIGH exclude each other"] if self == REFUSED else []


REFUSED = Sample(name="a", count=9, level="HIGH")


def test_defaults_apply() -> None:
    """A variable that is not set gives the default."""
    assert Sample(name="a") == Sample.from_env({"NAME": "a"})


@pytest.mark.parametrize("text", ["", " ", "\t"])
def test_empty_counts_as_not_set(text: str) -> None:
    """An optional CloudFormation parameter arrives as an empty string: it means the default."""
    assert Sample.from_env({"NAME": "a", "COUNT": text, "ITEMS": text}) == Sample(name="a")


@pytest.mark.parametrize(
    ("variable", "text", "problem"),
    [
        ("COUNT", "0", "at least 1 s"),
        ("COUNT", "10", "at most 9 s"),
        ("COUNT", "many", "invalid literal"),
        ("LEVEL", "MIDDLE", "one of LOW, HIGH"),
        ("FLAG", "maybe", "true or false"),
        ("ITEMS", "a,b,c", "at most 2 in length"),
        ("NAME", "A", "must match [a-z]+"),
        ("NAME", "a\n", "must match [a-z]+"),
        ("NAME", "", "is not set. Its name."),
    ],
)
def test_problem_names_variable_and_rule(variable: str, text: str, problem: str) -> None:
    """Each problem names the variable and what it must be."""
    with pytest.raises(SettingsError) as error:
        Sample.from_env({"NAME": "a", variable: text})

    [found] = error.value.problems
    assert found.startswith(variable)
    assert problem in found


def test_all_problems_come_in_one_error() -> None:
    """Whoever sets four variables wrongly is told of all four at once."""
    environ = {"COUNT": "0", "LEVEL": "x", "FLAG": "x", "ITEMS": "a,b,c"}

    with pytest.raises(SettingsError) as error:
        Sample.from_env(environ)

    assert 5 == len(error.value.problems) == len(str(error.value).splitlines())


def test_contradiction_between_fields_is_a_problem() -> None:
    """Fields that are each valid can still exclude each other."""
    with pytest.raises(SettingsError, match="exclude each other"):
        Sample.from_env({"NAME": "a", "COUNT": "9", "LEVEL": "HIGH"})


@pytest.mark.parametrize("text", ["true", "TRUE", "Yes", "1", " true "])
def test_words_for_true(text: str) -> None:
    assert boolean(text)


@pytest.mark.parametrize("text", ["false", "False", "NO", "0"])
def test_words_for_false(text: str) -> None:
    assert not boolean(text)


@given(st.integers())
def test_bounds_are_exact(count: int) -> None:
    """A number is taken if and only if it is within the bounds."""
    environ = {"NAME": "a", "COUNT": str(count)}
    if 1 <= count <= 9:
        assert Sample.from_env(environ).count == count
    else:
        with pytest.raises(SettingsError):
            Sample.from_env(environ)


@given(st.dictionaries(st.sampled_from(["NAME", "COUNT", "LEVEL", "FLAG", "ITEMS"]), st.text()))
def test_any_environment_gives_settings_or_the_one_error(environ: dict[str, str]) -> None:
    """No text in a variable raises anything else than SettingsError."""
    try:
        settings = Sample.from_env(environ)
    except SettingsError:
        return
    assert settings.name == environ["NAME"]


@given(st.lists(st.text("abc-. ", min_size=1).map(str.strip).filter(bool)))
def test_comma_list_roundtrip(items: list[str]) -> None:
    """Joining items and parsing them again gives the same items, blanks around them aside."""
    assert tuple(items) == comma_list(" , ".join(items))


def test_receivers_defaults_obey_their_own_declarations() -> None:
    """Every default of the receiver, written as text, is what its declaration allows."""
    defaults = Settings.defaults()
    environ = {"LANDING_URL": "file:///tmp/x"}
    for name, spec in Settings.specs().items():
        if name in defaults and not isinstance(defaults[name], tuple):
            environ[spec.env] = str(defaults[name])

    assert Settings.from_env(environ) == Settings(landing_url="file:///tmp/x")


def test_receivers_settings_are_described_in_both_languages() -> None:
    """Every setting has an English and a Japanese sentence, and numbers have bounds."""
    for name, spec in Settings.specs().items():
        assert spec.doc.endswith("."), name
        assert spec.doc_ja.endswith("。"), name
        if spec.parse is int:
            assert spec.minimum is not None, name
            assert spec.maximum is not None, name


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("AE_TITLE", "SEVENTEEN_LETTERS"),
        ("AE_TITLE", "BACK\\SLASH"),
        ("AE_TITLE", "TAB\tBED"),
        ("REQUIRE_CALLING_AE_TITLE", "GOOD,BAD\\ONE"),
        ("SUPPORTED_SOP_CLASS_UIDS", "1.2.3,CT"),
        ("LANDING_URL", "s3://Bucket_With/path"),
        ("LANDING_URL", "http://example.com"),
        ("MAXIMUM_ASSOCIATIONS", "1001"),
        ("DIMSE_TIMEOUT", "9"),
        ("NETWORK_TIMEOUT", "301"),
    ],
)
def test_receiver_refuses(variable: str, text: str) -> None:
    """What the guide forbids is refused, and the message names the variable."""
    with pytest.raises(SettingsError, match=f"^{variable}="):
        Settings.from_env({"LANDING_URL": "file:///tmp/x", variable: text})
