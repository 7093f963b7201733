"""What the text of a camera's address tells by itself: whether it is live, and how it is shown without its password."""

from __future__ import annotations

import re


def is_live(address: str) -> bool:
    """Whether a sensor stands behind it: it may come and go, and never gives the same picture twice."""
    return re.match(r"(?i)([0-9]|/dev/|csi:|rtsps?:|https?:)", address.strip()) is not None


def without_password(address: str) -> str:
    """Replace `user:password@` and secrets in a URL's query by `***`, for names, messages and logs.

    Everything up to the *last* `@` goes, because a password typed by hand may itself hold `@`, `/` or `?`.
    """
    text = re.sub(r"://.*@", "://***@", address)
    if not re.match(r"(?i)(rtsps?|https?)://", text):
        return text
    return re.sub(r"(?i)([?&;][^=&;]*(?:user|login|usr|pass|pwd|token|key|secret|auth)[^=&;]*=)[^&;#]*", r"\1***", text)
