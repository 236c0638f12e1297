"""What a program reads in an error of the API: the argument by its name, no secret, nothing that steers a terminal."""

from __future__ import annotations

import pytest

import harness
from harness.api.python_call import for_python, python_call
from harness.errors import ExitCode, HarnessError, ManyProblemsError
from harness.messages import Option, catalogue, message


@pytest.fixture(autouse=True)
def words(monkeypatch: pytest.MonkeyPatch) -> None:
    for code, text, hint in (
        ("needed", "{bind} is needed", "{note}, or leave out {others}"),
        ("add-option", "add {option}", ""),
        ("few-of", "{n} of {word}", ""),
        ("url-is", "{url} is {word}", ""),
    ):
        monkeypatch.setitem(catalogue(), code, {"message": text, **({"hint": hint} if hint else {})})


def test_options_are_named_as_arguments() -> None:
    error = HarnessError(
        "needed",
        where=Option("allow_host", "10.0.0.9"),
        bind=Option("bind"),
        note=message("add-option", option=Option("set", "a=1")),
        others=[Option("pid", 3), Option("host", 'a"b')],
    )
    assert str(for_python(error)) == (
        'allow_host="10.0.0.9": bind= is needed\n  add set="a=1", or leave out pid=3, host=\'a"b\''
    )
    assert str(error).startswith("--allow-host 10.0.0.9: --bind is needed")


def test_the_rest_of_an_error_stays() -> None:
    error = HarnessError("few-of", where="a.toml:3: rate", exit_code=ExitCode.BROKEN, n=3, word="few")
    same = for_python(error)
    assert (same.code, same.where, same.exit_code) == ("few-of", "a.toml:3: rate", ExitCode.BROKEN)
    assert same.params == {"n": 3, "word": "few"}


def test_secrets_and_control_characters_stay_inside() -> None:
    problem = HarnessError("url-is", url="http://me:word@host", word="\x1b[31mred", where=Option("host"))
    error = for_python(ManyProblemsError([problem]))
    assert str(error) == "host=: http://***@host is red"
    assert "word" not in str(error.problems[0].params.values() if isinstance(error, ManyProblemsError) else error)


def test_a_traceback_does_not_show_the_original() -> None:
    @python_call
    def fail() -> None:
        raise HarnessError("url-is", url="http://me:word@host", word="x")

    with pytest.raises(HarnessError) as raised:
        fail()
    assert raised.value.__suppress_context__


def test_a_misspelt_keyword_is_reported_with_the_one_that_was_meant() -> None:
    with pytest.raises(TypeError, match=r"^run\(\) got .* 'profil': did you mean profile=\?"):
        harness.run("x.py", profil="smoke")  # type: ignore[call-arg]  # what is tested
    with pytest.raises(TypeError, match=r"^bench\(\) got .* 'memroy': did you mean memory="):
        harness.bench("test_x.py", memroy=True)  # type: ignore[call-arg]  # what is tested
    with pytest.raises(TypeError, match=r"^Run\.load\(\) got .* 'zzz'; there are: cls, run, out"):
        harness.Run.load("latest", zzz=1)  # type: ignore[call-arg]  # what is tested
