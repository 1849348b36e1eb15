"""Verifies an envelope with securesystemslib: ENVELOPE, key id, the raw public key in hexadecimal, the expected payload."""

import json
import sys

from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

path, keyid, public, expected = sys.argv[1:]
with open(path, encoding="utf-8") as file:
    envelope = Envelope.from_dict(json.load(file))
key = SSlibKey(keyid, "ed25519", "ed25519", {"public": public})
accepted = envelope.verify([key], 1)
with open(expected, "rb") as file:
    assert envelope.payload == file.read(), "the payload is another one"
assert envelope.payload_type == "application/vnd.in-toto+json"
print("accepted", *accepted)
