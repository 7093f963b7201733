"""Properties of a camera's address as text: whether the camera is live, and the address without its password."""

import re


def is_live(address: str) -> bool:
    """Whether the address names a live sensor: it may disappear and return, and never gives the same frame twice."""
    return re.match(r"(?i)([0-9]|/dev/|csi:|rtsps?:|https?:)", address.strip()) is not None


def without_password(address: str) -> str:
    """Replace `user:password@` and secrets in a URL's query by `***`, for names, messages and logs.

    Removes everything up to the *last* `@`, because a password typed by hand may itself contain `@`, `/` or `?`.
    """
    text = re.sub(r"://.*@", "://***@", address)
    if not re.match(r"(?i)(rtsps?|https?)://", text):
        return text
    return re.sub(r"(?i)([?&;][^=&;]*(?:user|login|usr|pass|pwd|token|key|secret|auth)[^=&;]*=)[^&;#]*", r"\1***", text)
