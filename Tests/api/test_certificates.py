"""The certificate's files: renewal without a restart, what is refused, and what check says."""

from __future__ import annotations

import datetime
import os
import shutil

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from certificates import DAY, Authority, Pair, chain_of, key_of, presented, serial_of, tls
from checks import eventually
from gatehouse import run_command
from test_tls import authority, pair, status  # noqa: F401

TAKEN = "new connections get the certificate on the disk"
REFUSED = "the certificate on the disk cannot be used; the one in use goes on"
RENEWAL_SECONDS = 15  # the files are looked at every 2 s; a slow CI machine gets slack


def told(server, message):
    return [event for event in server.events() if event.get("message") == message]


def shown(server, authority):
    """The certificate that a new connection gets."""
    with tls(server.address, authority.client()) as connection:
        return presented(connection)


def wait_for(server, authority, leaf):
    wanted = serial_of(leaf)
    eventually(
        lambda: shown(server, authority) == wanted, within=RENEWAL_SECONDS, what="the renewal"
    )


def with_passphrase(leaf, form=serialization.PrivateFormat.PKCS8):
    key = serialization.load_pem_private_key(key_of(leaf), None)
    secret = serialization.BestAvailableEncryption(b"secret")
    return key.private_bytes(serialization.Encoding.PEM, form, secret)


# Renewal


def test_a_renewed_certificate_is_taken_and_live_connections_go_on(start, authority, pair):
    first = authority.issue()
    pair.write(first)
    server = start(trust=authority.client(), **pair.settings)
    with tls(server.address, authority.client()) as kept:
        assert status(kept) == 200
        for key_type in (trustme.KeyType.RSA, trustme.KeyType.ECDSA):
            leaf = authority.issue(key_type=key_type)
            pair.write(leaf)
            wait_for(server, authority, leaf)
            assert status(kept) == 200
            assert presented(kept) == serial_of(first)
    assert len(told(server, TAKEN)) == 2 and not told(server, REFUSED)


@pytest.mark.parametrize("manner", ["kubernetes", "certbot"])
def test_links_that_are_swapped_are_followed(start, authority, tmp_path, manner):
    leaves = [authority.issue(), authority.issue()]
    folders = [tmp_path / f"version-{number}" for number in (1, 2)]
    for folder, leaf in zip(folders, leaves):
        folder.mkdir()
        Pair(folder, leaf)
    names = ("tls.crt", "tls.key")

    def point(link, target):
        new = tmp_path / "link.new"
        new.symlink_to(target)
        os.replace(new, link)

    def turn(folder):
        if manner == "kubernetes":  # one link that everything hangs on
            point(tmp_path / "..data", folder)
        else:  # one link for each file
            for name in names:
                point(tmp_path / name, folder / name)

    if manner == "kubernetes":
        for name in names:
            (tmp_path / name).symlink_to(f"..data/{name}")
    turn(folders[0])
    server = start(
        trust=authority.client(),
        server_tls_certificate=str(tmp_path / names[0]),
        server_tls_key=str(tmp_path / names[1]),
    )
    assert shown(server, authority) == serial_of(leaves[0])
    turn(folders[1])
    wait_for(server, authority, leaves[1])
    shutil.rmtree(folders[0])
    assert not told(server, REFUSED)


def test_files_that_are_no_good_change_nothing_and_are_told_of_once(start, authority, pair):
    good = authority.issue()
    pair.write(good)
    server = start(trust=authority.client(), **pair.settings)
    other, ended = authority.issue(), authority.issue(days=-1)
    tomorrow = datetime.datetime.now(datetime.timezone.utc) + DAY
    early = authority.issue(not_before=tomorrow, not_after=tomorrow + DAY)
    bad = [
        ((chain_of(good), key_of(other)), "does not belong"),
        ((b"", b""), "is empty"),
        ((b"-----BEGIN CERTIFICATE-----\nAAAA\n", key_of(good)), "not a PEM certificate"),
        ((chain_of(good), with_passphrase(good)), "passphrase"),
        ((chain_of(ended), key_of(ended)), "it ended at"),
        ((chain_of(early), key_of(early)), "it begins only at"),
    ]
    for count, (files, reason) in enumerate(bad, 1):
        pair.put(*files)
        lines = eventually(
            lambda: found if len(found := told(server, REFUSED)) == count else None,
            within=RENEWAL_SECONDS, what=reason,
        )  # fmt: skip
        assert reason in lines[-1]["cause"]
        assert shown(server, authority) == serial_of(good)
    last = authority.issue()
    pair.write(last)
    wait_for(server, authority, last)
    assert len(told(server, REFUSED)) == len(bad)


# Starts that are refused


def refusal(tmp_path, **settings):
    words = "serve", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data")
    done = run_command(*words, cwd=tmp_path, metrics_listen="127.0.0.1:0", **settings)
    assert done.returncode == 78, done.stderr
    [line] = done.stderr.strip().splitlines()
    return line


def test_a_pair_that_is_not_whole_is_refused(pair, tmp_path):
    whole = pair.settings
    certificate, key = whole
    line = refusal(tmp_path, **{certificate: whole[certificate]})
    assert "server.tls.key is missing" in line
    line = refusal(tmp_path, **{key: whole[key]})
    assert "server.tls.certificate is missing" in line
    line = refusal(tmp_path, server_public_url="http://id.example.com", **whole)
    assert "server.public_url" in line and "https://" in line


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda pair, leaf: pair.certificate.unlink(), "cannot read"),
        (lambda pair, leaf: pair.key.write_bytes(b""), "empty"),
        (lambda pair, leaf: pair.key.write_bytes(chain_of(leaf)), "not a PEM private key"),
        (lambda pair, leaf: pair.certificate.write_bytes(key_of(leaf)), "certificate"),
        (lambda pair, leaf: pair.key.write_bytes(with_passphrase(leaf)), "passphrase"),
        (
            lambda pair, leaf: pair.key.write_bytes(
                with_passphrase(leaf, serialization.PrivateFormat.TraditionalOpenSSL)
            ),
            "passphrase",
        ),
        (
            lambda pair, leaf: pair.key.write_bytes(key_of(Authority().issue())),
            "does not belong",
        ),
    ],
)
def test_files_that_are_no_good_are_refused_at_the_start(
    authority, pair, tmp_path, spoil, reason
):
    leaf = authority.issue()
    pair.write(leaf)
    spoil(pair, leaf)
    line = refusal(tmp_path, **pair.settings)
    assert reason in line and str(tmp_path) in line


# What check and the log say


def test_check_says_what_is_wrong_with_a_certificate(start, authority, pair):
    server = start(trust=authority.client(), **pair.settings)

    def findings(**more):
        return server.command("check", **(pair.settings | more)).stdout

    def at(name):
        return {"server_public_url": f"https://{name}"}

    assert findings() == "Nothing to mend.\n"
    assert findings(**at("id.example.com:8443")) == "Nothing to mend.\n"
    assert "not for other.example.com" in findings(**at("other.example.com"))
    pair.key.chmod(0o644)
    assert "can be read by everybody" in findings()
    for days, said in ((13.9, "ends at"), (-1, "ended at")):
        pair.write(authority.issue(days=days))
        assert said in findings()
    pair.write(authority.issue("*.example.com", "::1", days=14.1))
    for name in ("id.example.com", "[::1]:8443"):
        assert findings(**at(name)) == "Nothing to mend.\n"
    for name in ("example.com", "a.b.example.com", "[::2]"):
        assert f"not for {name}" in findings(**at(name))
    pair.put(chain_of(authority.issue()), key_of(authority.issue()))
    assert "does not belong" in findings()


def test_the_first_lines_of_the_log_say_it_too(start, authority, pair):
    pair.write(authority.issue("id.example.com", days=3))
    pair.key.chmod(0o604)
    context = authority.client()
    context.check_hostname = False
    server = start(trust=context, **pair.settings)
    said = " ".join(event["finding"] for event in told(server, "the TLS files need attention"))
    assert "ends at" in said and "everybody" in said and "not for 127.0.0.1" in said
