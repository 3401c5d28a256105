"""Verification of ECDSA signatures (FIPS 186-5, SEC 1) on the curves P-256 and P-384."""

from __future__ import annotations

import base64
import hashlib
import re

_CURVES = {
    # OID → p, a, n, G, hash
    "1.2.840.10045.3.1.7": (
        0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF, -3,
        0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
        (0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
         0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5), "sha256"),
    "1.3.132.0.34": (
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFFFF0000000000000000FFFFFFFF, -3,
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
        (0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7,
         0x3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F), "sha384"),
}  # fmt: skip


def verify_ecdsa(pem: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a DER signature of a message is valid for a public key (PEM, SubjectPublicKeyInfo)."""
    try:
        oid, point = _public_key(pem)
        p, a, n, base, hash_name = _CURVES[oid]
        (_, r_and_s) = _der(signature)[0]
        r, s = (int.from_bytes(value, "big") for _, value in _der(r_and_s))
    except (KeyError, ValueError, IndexError):
        return False
    if not (0 < r < n and 0 < s < n):
        return False
    digest = int.from_bytes(hashlib.new(hash_name, message).digest()[: (n.bit_length() + 7) // 8], "big")
    inverse = pow(s, -1, n)
    found = _add(_times(base, digest * inverse % n, a, p), _times(point, r * inverse % n, a, p), a, p)
    return found is not None and found[0] % n == r


def _public_key(pem: bytes) -> tuple[str, tuple[int, int]]:
    body = re.sub(rb"-----[^-]+-----|\s", b"", pem)
    (_, info), *_ = _der(base64.b64decode(body))
    (_, algorithm), (_, bits) = _der(info)[:2]
    _, (_, curve) = _der(algorithm)[:2]
    raw = bits[1:]
    if raw[0] != 4:
        raise ValueError("compressed point")
    half = (len(raw) - 1) // 2
    return _oid(curve), (int.from_bytes(raw[1 : half + 1], "big"), int.from_bytes(raw[half + 1 :], "big"))


def _der(content: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at < len(content):
        kind, size = content[at], content[at + 1]
        at += 2
        if size & 0x80:
            width = size & 0x7F
            size = int.from_bytes(content[at : at + width], "big")
            at += width
        if at + size > len(content):
            raise ValueError("cut DER")
        found.append((kind, content[at : at + size]))
        at += size
    return found


def _oid(content: bytes) -> str:
    values, value = [content[0] // 40, content[0] % 40], 0
    for byte in content[1:]:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            values.append(value)
            value = 0
    return ".".join(map(str, values))


def _times(point: tuple[int, int], factor: int, a: int, p: int) -> tuple[int, int] | None:
    found: tuple[int, int] | None = None
    doubled: tuple[int, int] | None = point
    while factor:
        if factor & 1:
            found = _add(found, doubled, a, p)
        doubled = _add(doubled, doubled, a, p)
        factor >>= 1
    return found


def _add(one: tuple[int, int] | None, two: tuple[int, int] | None, a: int, p: int) -> tuple[int, int] | None:
    if one is None or two is None:
        return one or two
    if one[0] == two[0] and (one[1] + two[1]) % p == 0:
        return None
    if one == two:
        slope = (3 * one[0] * one[0] + a) * pow(2 * one[1], -1, p)
    else:
        slope = (two[1] - one[1]) * pow(two[0] - one[0], -1, p)
    x = (slope * slope - one[0] - two[0]) % p
    return x, (slope * (one[0] - x) - one[1]) % p
