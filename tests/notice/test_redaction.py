"""What belongs to a name that looks like a secret's is hidden in texts that leave the process."""

import pytest

from depwatch.redaction import HIDDEN, KEYS, PARTS, WORDS, is_secret, shown, shown_command


@pytest.mark.parametrize("name", [*PARTS, *WORDS, *(f"{key}_key" for key in KEYS)])
def test_each_listed_name_is_a_secrets_in_any_case_and_joined_in_any_way(name: str) -> None:
    first, *rest = name.split("_")
    camel = first + "".join(map(str.title, rest))
    spelled = [name, name.upper(), f"DB_{name.upper()}_2", name.replace("_", "-"), camel]
    assert [each for each in spelled if not is_secret(each)] == []


def test_names_that_only_sound_like_it_are_shown() -> None:
    names = ["RATE", "key", "keys", "primary_key", "tokenize", "Tokenizer", "author", "compass", "word", "passed"]
    assert [name for name in names if is_secret(name)] == []


def test_a_value_is_shown_unless_its_name_is_a_secrets_or_values_are_off() -> None:
    assert shown("RATE", "12") == shown(None, "12") == "12"
    assert shown("DB_PASSWORD", "'hunter2'") == shown("RATE", "12", values=False) == HIDDEN


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{'user': 'me', 'password': 'a, \\'b'}", "{'user': 'me', 'password': <hidden>}"),
        ('{"api_key": "x", "n": 1}', '{"api_key": <hidden>, "n": 1}'),
        ("Login(user='me', token=12, n=3)", "Login(user='me', token=<hidden>, n=3)"),
        (
            "https://me:hunter2@host/x?page=2&auth_token=abc&n=1",
            "https://me:<hidden>@host/x?page=2&auth_token=<hidden>&n=1",
        ),
        ("Authorization: Bearer abc", "Authorization: <hidden>"),
        ("a: b = c", "a: b = c"),
    ],
)
def test_secrets_inside_a_text_are_hidden_and_the_rest_is_kept(text: str, told: str) -> None:
    assert shown("settings", text) == told


def test_what_follows_an_option_for_a_secret_is_hidden_in_a_command() -> None:
    words = ["app.py", "--user", "me", "--password", "x", "--api-key=y", "--token", "-v", "PGPASSWORD=z", "file"]
    told = ["app.py", "--user", "me", "--password", HIDDEN, f"--api-key={HIDDEN}", "--token", "-v"]
    assert shown_command(words) == [*told, f"PGPASSWORD={HIDDEN}", "file"]
    assert shown_command(["app.py", "x"], values=False) == [HIDDEN, HIDDEN]
