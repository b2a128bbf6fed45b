"""Keys: what is kept of them, who is recognised, and how a file of them is read again."""

import asyncio
import hmac
import json
import stat
import tomllib
from datetime import date
from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from service.access.keys import KeyFileError, add_entry, new_key, read_keys, recognised
from service.access.ring import KeyRing
from service.cli import app

ALPHABET = ascii_letters + digits + "-_"
DAY = date(2026, 11, 28)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)


@given(st.lists(names, min_size=2, max_size=5, unique=True), st.data())
def test_a_key_is_recognised_as_its_own_entry_and_nothing_else_is(some, data):
    made = [new_key(name, made=DAY) for name in some]
    known = {entry.id: entry for _, entry in made}
    for key, entry in made:
        assert recognised(key, known) is entry
        at = data.draw(st.integers(0, len(key) - 1))
        other = ALPHABET[ALPHABET.index(key[at]) - data.draw(st.integers(1, len(ALPHABET) - 1))]
        assert recognised(key[:at] + other + key[at + 1 :], known) is None
    assert len({entry.owner for _, entry in made}) == len(made)


@pytest.mark.parametrize("sent", ["", "rq_", "rq_" + "0" * 12 + "_" + "a" * 43, "é" * 60])
def test_what_is_no_key_is_compared_as_a_key_is(sent, monkeypatch):
    compared = []
    digest = hmac.compare_digest

    def compare(left, right):
        compared.append((len(left), len(right)))
        return digest(left, right)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    _, entry = new_key("planning", made=DAY)
    assert recognised(sent, {entry.id: entry}) is None
    assert compared == [(64, 64)]


def test_the_command_prints_a_key_once_and_keeps_what_recognises_it(tmp_path):
    file = tmp_path / "keys.toml"
    run = CliRunner().invoke
    key = run(app, ["keys", "new", "planning", "--file", str(file)]).output.strip()
    quoted = run(app, ["keys", "new", "batch", "--file", str(file), "--cpu", "2.5"]).output.strip()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text()
    assert key not in text
    assert quoted.rpartition("_")[2] not in text
    known = read_keys(file)
    found = [recognised(one, known) for one in (key, quoted)]
    assert [(one.name, one.cpu_s_per_minute) for one in found if one] == [
        ("planning", None),
        ("batch", 2.5),
    ]
    listed = run(app, ["keys", "list", "--file", str(file)]).output
    assert "planning" in listed
    assert "2.5 s of CPU" in listed
    again = run(app, ["keys", "new", "batch", "--file", str(file)])
    assert again.exit_code == 2
    assert file.read_text() == text
    assert run(app, ["keys", "new", "a name", "--file", str(file)]).exit_code == 2
    assert sorted(one.name for one in tmp_path.iterdir()) == ["keys.toml"]


ENTRY = {"name": "a", "id": "0" * 12, "sha256": "1" * 64}


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([ENTRY | {"sha256": "short"}], "sha256"),
        ([ENTRY | {"key": "rq_"}], "key"),
        ([ENTRY, ENTRY | {"id": "1" * 12, "sha256": "2" * 64}], "two keys have the name a"),
        ([ENTRY, ENTRY | {"name": "b", "sha256": "2" * 64}], "two keys have the id"),
        ([ENTRY, ENTRY | {"name": "b", "id": "1" * 12}], "two keys have the sha256"),
        ([ENTRY | {"cpu_s_per_minute": 0}], "cpu_s_per_minute"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(entries, said, tmp_path):
    file = tmp_path / "keys.toml"
    lines = []
    for entry in entries:
        lines += ["[[keys]]", f"made = {DAY}"]
        lines += [f"{name} = {json.dumps(value)}" for name, value in entry.items()]
    file.write_text("\n".join(lines))
    assert tomllib.loads(file.read_text())["keys"]
    with pytest.raises(KeyFileError) as refused:
        read_keys(file)
    assert said in str(refused.value)


@pytest.mark.anyio
async def test_a_ring_takes_over_what_can_be_used_and_keeps_what_it_had_otherwise(tmp_path):
    file = tmp_path / "keys.toml"
    first, entry = new_key("first", made=DAY)
    add_entry(file, entry)
    told = []
    ring = KeyRing(file, every_s=0.01, refused=lambda *, is_refused: told.append(is_refused))
    second, more = new_key("second", made=DAY)
    assert ring.entry_of(second) is None
    ring.start()
    try:
        add_entry(file, more)
        ring.look_at_once()
        while ring.entry_of(second) is None:
            await asyncio.sleep(0)
        assert ring.entry_of(first) == entry
        file.write_text("[[keys]]\nname = 3\n")
        while not told or not told[-1]:
            await asyncio.sleep(0)
        assert ring.entry_of(first) == entry
        file.unlink()
        file.write_text("")
        while len(ring):
            await asyncio.sleep(0)
        assert ring.entry_of(first) is None
        assert told[-1] is False
    finally:
        await ring.stop()


def test_a_ring_without_a_file_does_not_start(tmp_path):
    with pytest.raises(KeyFileError, match=r"nowhere\.toml"):
        KeyRing(tmp_path / "nowhere.toml")
