"""Open one stored object of format 2, without brownie-backup: Python and `cryptography` suffice.

    DATA_KEY=hex python recover.py NAME <stored >content

NAME is the blob's name: the last part of its key in the store. The content is compressed still.
"""

import os
import sys

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

data_key, name = bytes.fromhex(os.environ["DATA_KEY"]), sys.argv[1].encode()
stored = sys.stdin.buffer.read()
header, key_id, salt, ciphertext = stored[:72], stored[8:40], stored[40:72], stored[72:-32]
if header[:8] != b"brownie2":
    sys.exit("this is not an object of format 2")
if key_id != HKDF(SHA256(), 32, b"", b"brownie-backup/key-id/1").derive(data_key):
    sys.exit(f"it needs the data key with the id {key_id.hex()}")
blob_key = HKDF(SHA256(), 32, salt, b"brownie-backup/blob/1").derive(data_key)
# It raises InvalidTag if the bytes were changed, or are stored under another name.
sys.stdout.buffer.write(AESGCM(blob_key).decrypt(bytes(12), ciphertext, header + name))
