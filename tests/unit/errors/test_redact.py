"""Redaction: certain secrets are taken out, and the rest of an error's text is kept."""

from __future__ import annotations

import pytest

from invoke_widgets.errors.redact import LONGEST, without_secrets
from invoke_widgets.records import QueueItem

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "text",
    [
        f"401 for Authorization: Bearer {TOKEN}",
        "Authorization: Basic c2lnbmF0dXJl",
        "{'authorization': 'c2lnbmF0dXJlMDEyMzQ1Njc4OQ'}",
        "sent Bearer 9c2lnbmF0dXJl",
        f"GET http://x/?token={TOKEN}&a=1",
        "GET http://x/?a=1&access_token=c2lnbmF0dXJl",
        "GET http://x/?api_key=c2lnbmF0dXJl",
        "https://h/m?X-Amz-Signature=c2lnbmF0dXJl",
        "https://h/v1/m?alt=json&key=c2lnbmF0dXJl&x=1",
        f"rejected {TOKEN}",
        "{'api_key': 'c2lnbmF0dXJl'}",
        "http://user:c2lnbmF0dXJl@host/",
        "https://c2lnbmF0dXJl@host/x",
        "token=https://me:a,c2lnbmF0dXJl@host",
        "hf_c2lnbmF0dXJlc2lnbmF0dXJl",
        "Incorrect API key provided: sk-proj-0123456789-c2lnbmF0dXJl",
        "fatal: ghp_c2lnbmF0dXJlc2lnbmF0dXJl",
        "github_pat_11ABCDEFG0123456_c2lnbmF0dXJl",
        "whsec_c2lnbmF0dXJlc2lnbmF0dXJl",
        "Invalid API key: AIzac2lnbmF0dXJlc2lnbmF0dXJl",
        "API key provided: c2lnbmF0dXJl",
        "password=c2lnbmF0dXJl",
        "password: two c2lnbmF0dXJl words",
        '{"password": "two c2lnbmF0dXJl"}',
        r"{\"access_token\": \"two c2lnbmF0dXJl\"}",
        "bearer \npassword: c2lnbmF0dXJl",
        "AUTHORIZATION: BEARER c2lnbmF0dXJl",
        "Authorization: ApiKey 0123456789c2lnbmF0dXJl",
        'Authorization: Digest username="u", response="c2lnbmF0dXJl"',
        "('authorization', 'Basic c2lnbmF0dXJl')",
        "[(b'authorization', b'Basic c2lnbmF0dXJl')]",
        "X-API-Key: 0123456789c2lnbmF0dXJl",
        "{'x-auth-token': '0123456789c2lnbmF0dXJl'}",
        "Cookie: session=c2lnbmF0dXJl; theme=dark",
        "Set-Cookie: sid=c2lnbmF0dXJl; Path=/",
        r"https:\/\/user:c2lnbmF0dXJl@host\/x",
        "http://user:p@c2lnbmF0dXJl@host/x",
        "http://x/?a=1&amp;token=c2lnbmF0dXJl",
        "http://x/#access_token=c2lnbmF0dXJl",
        "http://x/?API_KEY=c2lnbmF0dXJl",
        "next=%2Fx%3Ftoken%3D0123456789c2lnbmF0dXJl",
        '{"token": "0123456789c2lnbmF0dXJl"}',
        '{"apiKey":"c2lnbmF0dXJl"}',
        "export HF_TOKEN=0123456789c2lnbmF0dXJl",
        "AWS_SECRET_ACCESS_KEY=0123456789c2lnbmF0dXJl",
        "invokeai --token 0123456789c2lnbmF0dXJl",
        "login failed, password: 0123456789c2lnbmF0dXJl",
        "password=None-c2lnbmF0dXJl",
        "password=a(c2lnbmF0dXJl",
        "password: str c2lnbmF0dXJl",
        "api_org_0123456789c2lnbmF0dXJl",
        "xoxb-0123456789-c2lnbmF0dXJl",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nc2lnbmF0dXJl\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_certain_secrets_are_taken_out(text: str) -> None:
    """Tokens, keys and passwords in every form that gives them away."""
    assert ("c2lnbmF0dXJl" in text, False, True) == (
        True,
        "c2lnbmF0dXJl" in without_secrets(text),
        "[token]" in without_secrets(text),
    )


@pytest.mark.parametrize(
    "text",
    [
        "pad_token: 49407 is not in the vocabulary",
        "pad_token=49407, eos_token='<|endoftext|>'",
        '{"bos_token": "<|startoftext|>", "token": "hello"}',
        "Basic diffusers pipeline failed",
        "Unexpected token: 'foo'",
        "eos_token: <|endoftext|>",
        "a secret: garden prompt",
        "Bearer authentication failed",
        "Authorization: required",
        "Wrong password: please try again",
        "API key: not set on the server",
        "mat1 and mat2",
        "token id 5 for token",
        "see https://host/path?page=2&sort=name",
        "the author: me",
        "tokens, tokenizer = get(tokenizer_info)",
        "hf_hub_download_of_a_file",
        "No module named 'sk-image-and-other-packages'",
        "keyJsonPath",
        "def login(user: str, password: str | None = None) -> None:",
        "    password: str | None",
        "api_key=None is not set; use_auth_token=True is deprecated",
        "    api_key = os.environ['OPENAI_API_KEY']",
        "    password = getpass.getpass()",
        "token='<|reserved_special_token_250|>'",
        "eos_token: reserved_special_token_250",
        "KeyError: 'self.token_embedding.weight'",
        "http://host/x?sort_key=created&order_key=desc",
        "pip install git+https://github.com/x/y@v1.0.0",
        "model key 1ed88043-519d-41d5-a895-07944f03de70, hash blake3:0123456789abcdef0123456789abcdef",
        "the author: abcdef0123456789abcdef",
        "a cookie: baked, with sugar",
        r"No such file or directory: 'C:\Users\me\models\a.safetensors', '/home/me/models/b.safetensors'",
    ],
)
def test_ordinary_error_texts_stay_whole(text: str) -> None:
    """An error's text is evidence, and not every token is a secret."""
    assert text == without_secrets(text)


def test_known_secrets_are_taken_out_in_any_form() -> None:
    """The tokens in use need no form; those shorter than 4 characters are too common to be replaced."""
    assert "you said [token], abc" == without_secrets("you said open sesame, abc", ["open sesame", None, "", "abc"])


def test_the_text_around_a_secret_stays() -> None:
    """A password ends with its line, a key with its parameter, a quoted value with its quote."""
    text = "password: a b\nGET /m?key=abc&n=1\n{'access_token': 'a b', 'n': 1}\nBearer abc123, n"
    expected = "password: [token]\nGET /m?key=[token]&n=1\n{'access_token': '[token]', 'n': 1}\nBearer [token], n"
    assert expected == without_secrets(text)
    assert expected == without_secrets(expected)


@pytest.mark.parametrize(
    "text",
    [
        "token " + "x-" * 200_000,
        "token " + "eyJabc" * 100_000,
        "a://" * 100_000,
        "password" * 50_000,
        'api_key="' * 50_000,
        "bearer" + " " * 400_000,
        "bearer " * 50_000,
        "sk-" * 100_000,
        "&key" * 100_000,
        "authorization: digest " * 20_000,
        "token " * 80_000 + "a" * 400_000,
        "-----BEGIN PRIVATE KEY-----" * 20_000,
        "://a@" + "a@" * 200_000,
        "cookie: a=" * 50_000,
        "api_key=a(" * 50_000,
    ],
)
def test_a_long_text_is_cleaned_in_linear_time(text: str) -> None:
    """Patterns whose time grows with the square of the length would take minutes."""
    assert len(without_secrets(text)) < 2 * len(text)


def test_beginning_and_end_of_a_long_text_are_kept() -> None:
    """A megabyte from a server becomes some kilobytes, and is cut within no word: no half of a token stays."""
    line = f"{TOKEN} at line\n"
    text = "begin\n" + line * (10**6 // len(line)) + "end"
    found = QueueItem.from_json({"item_id": 1, "status": "failed", "batch_id": "b", "error_traceback": text})
    kept = found.error_traceback or ""
    assert (True, True, True) == (kept.startswith("begin\n"), kept.endswith("\nend"), len(kept) <= LONGEST + 50)
    assert {"begin", "end", "[token] at line", "[token] at", "[token]"} >= {
        part for part in kept.split("\n") if not part.endswith(" more characters]")
    }
