"""Digests: not a byte of what was written changes without being noticed."""

from __future__ import annotations

import json

import pytest

from dsray.base.sums import Damaged, check_sums, compare, parse, seal, unseal, write_sums


def test_every_flipped_bit_of_a_sealed_file_is_noticed(tmp_path):
    path = tmp_path / "x.json"
    whole = seal({"a": [1, 2.5, None], "b": "ü"})
    path.write_bytes(whole)
    assert unseal(path)["a"] == [1, 2.5, None]
    for position in range(len(whole)):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << bit
            path.write_bytes(damaged)
            with pytest.raises(Damaged, match=r"x\.json was altered"):
                unseal(path)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b"\xff\xfe", b"[" * 5000, b'{"a": ' * 90_000])
def test_what_was_never_sealed_is_damaged(tmp_path, content):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(Damaged, match=r"x\.json was altered"):
        unseal(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'{"a": \xff}', "byte 6 is not UTF-8"),
        (b"[" * 100_000 + b"]" * 100_000, "nests too deeply"),
        (b"[" * 400 + b"]" * 400, "nests too deeply"),
        (b'{"a":' * 200 + b"1" + b"}" * 200, "nests too deeply"),
        (b"{", "Expecting property name"),
    ],
)
def test_json_that_is_none_is_one_kind_of_error(text, words):
    with pytest.raises(ValueError, match=words):
        parse(text)


def test_the_files_of_a_folder_are_compared(tmp_path):
    (tmp_path / "a").write_text("content of a")
    assert check_sums(tmp_path, ["a"]) is False  # none were written: an older version made it
    write_sums(tmp_path)
    assert check_sums(tmp_path, ["a"]) is True
    (tmp_path / "later").write_text("not of the folder when it was finished")
    assert check_sums(tmp_path, ["a"]) is True
    with pytest.raises(Damaged, match="later is not in the list"):
        check_sums(tmp_path, ["later"])
    (tmp_path / "a").write_text("content of b")
    with pytest.raises(Damaged, match="a is missing or was altered"):
        check_sums(tmp_path, ["a"])


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "sub/file", "..", ".", "", "a\\b", "C:x", "a\0b"])
def test_a_list_that_leads_out_of_the_folder_is_refused(tmp_path, name):
    with pytest.raises(Damaged, match="names no file inside the folder"):
        compare(tmp_path, {name: "0" * 64}, [])


@pytest.mark.parametrize("files", [None, [], {"a": 1}, {"a": None}])
def test_a_list_that_is_none_is_refused(tmp_path, files):
    with pytest.raises(Damaged, match="the list of its files is none"):
        compare(tmp_path, files, [])


def test_sums_are_json_that_others_can_read(tmp_path):
    (tmp_path / "a").write_text("abc")
    write_sums(tmp_path)
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1
    assert json.loads((tmp_path / "sums.json").read_text())["files"] == {"a": known}


def test_the_order_of_keys_comes_back(tmp_path):
    path = tmp_path / "sealed.json"
    path.write_bytes(seal({"train": {"missing": 0, "cut": 1}, "test": {}}))
    found = unseal(path)
    assert [*found] == ["train", "test", "sha256"] and [*found["train"]] == ["missing", "cut"]
