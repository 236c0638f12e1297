"""The shop's errors: it cannot start, or it refuses a request."""

from __future__ import annotations

from typing import ClassVar


class ShopStartError(Exception):
    """The shop cannot start with its settings; the message is one line that names the wrong one."""


class Refusal(Exception):  # noqa: N818 - an intended response, not an error of the shop
    """An expected response other than success: an HTTP status and a word for it (``{"error": word}``)."""

    status = 400
    error = "refused"
    headers: ClassVar[dict[str, str]] = {}

    def body(self) -> dict[str, object]:
        """The JSON body of the response."""
        return {"error": self.error}


class NotLoggedIn(Refusal):
    status, error = 401, "not_logged_in"


class PaymentDeclined(Refusal):
    status, error = 402, "payment_declined"


class NotFound(Refusal):
    status, error = 404, "not_found"


class EmptyCart(Refusal):
    status, error = 400, "empty_cart"


class SoldOut(Refusal):
    """Fewer units of ``product_id`` are left than the cart asks for."""

    status, error = 409, "sold_out"

    def __init__(self, product_id: int) -> None:
        super().__init__(product_id)
        self.product_id = product_id

    def body(self) -> dict[str, object]:
        return {"error": self.error, "product_id": self.product_id}


class CheckoutUnderWay(Refusal):
    """The same checkout, by its Idempotency-Key, is being made by another request."""

    status, error = 409, "checkout_under_way"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "1"}


class Unavailable(Refusal):
    """The database or the cache does not respond."""

    status, error = 503, "unavailable"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "1"}


class PaymentUnavailable(Refusal):
    """The payment vendor did not respond in time, or its response is invalid."""

    status, error = 503, "payment_unavailable"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "2"}
