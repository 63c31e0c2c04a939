"""Values in texts that leave the process (logs, traces, reports): which are hidden.

Hidden is what belongs to a name that looks like a secret's; with `--values off`, every value.
"""

import itertools
import re
from collections.abc import Iterable
from typing import Final

HIDDEN: Final = "<hidden>"

# A name looks like a secret's if it has one of these in it (a part of a word is enough), one of the words, or two words
# that follow each other, in any case and however it joins them: api_key, apiKey, API-KEY.
PARTS: Final = ("password", "passwd", "passphrase", "secret", "credential")
WORDS: Final = ("pwd", "token", "tokens", "auth", "authorization", "cookie", "cookies", "bearer", "jwt", "apikey")
KEYS: Final = ("api", "private", "access", "signing", "encryption", "session")  # before `key` or `keys`

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_QUOTED: Final = r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\""
# `name=value`, `name: value`, `'name': 'value'`; a value without quotes ends where the next one may begin.
_PAIR: Final = re.compile(rf"([\w.-]+)(['\"]?\s*[:=]\s*)((?:(?:Basic|Bearer) +)?(?:{_QUOTED}|[^\s'\",;&)\]}}]+))")
_LOGIN: Final = re.compile(r"(://[^\s/:@]*:)[^\s/@]+(?=@)")  # the password in scheme://user:password@host


def is_secret(name: str) -> bool:
    """Whether name looks like that of a password, a key or the like: see PARTS, WORDS and KEYS."""
    words = [word.lower() for word in _WORD.findall(name)]
    joined = "".join(words)
    return (
        any(part in joined for part in PARTS)
        or any(word in WORDS or word.endswith("token") for word in words)
        or any(one in KEYS and two in ("key", "keys") for one, two in itertools.pairwise(words))
    )


def shown(name: str | None, text: str, values: bool = True) -> str:
    """text, which tells the value that name has; HIDDEN for a secret's name, or without values (`--values off`).

    In a text that tells several values, as the repr of a dict or a URL does, those of names that look like a secret's
    and passwords are hidden. An unknown name is None.
    """
    if not values or (name is not None and is_secret(name)):
        return HIDDEN
    text = _LOGIN.sub(rf"\1{HIDDEN}", text)
    return _PAIR.sub(lambda pair: f"{pair[1]}{pair[2]}{HIDDEN}" if is_secret(pair[1]) else pair[0], text)


def shown_command(words: Iterable[str], values: bool = True) -> list[str]:
    """The arguments of a command, with what follows an option that looks like a secret's hidden, or all of them."""
    told: list[str] = []
    name = None  # of an option whose value may come next
    for word in words:
        if name is not None and not word.startswith("-"):
            told.append(shown(name, word, values))
            name = None
        else:
            told.append(shown(None, word, values))
            name = word if word.startswith("-") and "=" not in word else None
    return told
