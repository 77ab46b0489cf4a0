"""What it means where two sides cannot open a connection, in words that say what to mend.

gRPC tells who asks only that it is UNAVAILABLE, with what its own parts said of it.
"""

from __future__ import annotations

_REFUSED = "failed to connect to all addresses"
_MEANINGS = {
    "CERTIFICATE_VERIFY_FAILED": (
        "the other side's certificate is not of an authority that is trusted here (see ca.crt), "
        "or has expired"
    ),
    "Hostname Verification Check failed": (
        "the other side's certificate lacks the name by which it is known: "
        "NAME-internal.NAMESPACE.svc for spec.internalTls, NAME-router.NAMESPACE.svc for "
        "spec.router.tls"
    ),
    "WRONG_VERSION_NUMBER": "the other side does not speak TLS",
    "Socket closed": (
        "the other side hung up at once: it may want TLS, or a certificate of an authority that "
        "it trusts (its ca.crt) and that has not expired"
    ),
}
"""By what gRPC says."""


def meaning_of(details: str) -> str:
    """What the details of an UNAVAILABLE mean; empty where nobody is there, or the two spoke."""
    if _REFUSED not in details:
        return ""
    return next((meaning for sign, meaning in _MEANINGS.items() if sign in details), "")


def explained(details: str) -> str:
    """The details, with what they mean before them where that is known."""
    meaning = meaning_of(details)
    # All addresses failed, and why the last one did.
    last = details.partition("last error: ")[2] or details
    return f"{meaning}; gRPC says: {last}" if meaning else details
