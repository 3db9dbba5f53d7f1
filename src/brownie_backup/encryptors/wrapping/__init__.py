"""Implementations of `brownie_backup.protocols.KeyWrapper`, one file for each kind of recipient.

They are beside the encryptors, since they use the same keys and the same `gpg`.
"""
