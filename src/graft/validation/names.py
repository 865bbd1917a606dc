"""Names of files and classes, as they are compared: accents have two encodings, and disks keep either."""

import unicodedata


def nfc(name: str) -> str:
    """A name in the encoding that keyboards give; macOS and archives made there may hold the other one."""
    return unicodedata.normalize("NFC", name)


def look(name: str) -> str:
    """What the eye, and a disk that ignores case, see of a name: without case, and without spaces at its ends."""
    return nfc(nfc(name).casefold()).strip()
