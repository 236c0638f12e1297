"""The shop's orders against the vendor's charges: is each paid order charged once, and nothing else?

The vendor keeps its own books, so they also show an order that the shop has lost.
"""

from __future__ import annotations

from typing_extensions import TypedDict

from harness.shop.orders import Orders
from harness.shop.payment_client import PaymentClient
from harness.shop.tables import UNSETTLED, Status


class Payments(TypedDict):
    """How many orders are ``paid``, and the ids of those that are wrong; none are where it is ``balanced``.

    ``unsettled`` orders, which are being paid for or cancelled, are not among them.
    """

    paid: int
    unsettled: int
    charged_twice: list[int]
    not_charged: list[int]
    not_refunded: list[int]
    """Not bought, but charged."""
    lost: list[int]
    """Charged, but the shop knows no such order."""
    balanced: bool


def compare_payments(orders: Orders, payment: PaymentClient) -> Payments:
    """As of now; an order that is placed meanwhile may look lost. Raises `PaymentUnavailable`."""
    statuses = orders.statuses()
    charges = {id_: count for id_, count in payment.charges().items() if statuses.get(id_) not in UNSETTLED}
    paid = {id_ for id_, status in statuses.items() if status is Status.PAID}
    twice = sorted(id_ for id_, count in charges.items() if count > 1)
    not_charged = sorted(paid - charges.keys())
    not_refunded = sorted(charges.keys() & statuses.keys() - paid)
    lost = sorted(charges.keys() - statuses.keys())
    return {
        "paid": len(paid),
        "unsettled": sum(status in UNSETTLED for status in statuses.values()),
        "charged_twice": twice,
        "not_charged": not_charged,
        "not_refunded": not_refunded,
        "lost": lost,
        "balanced": not (twice or not_charged or not_refunded or lost),
    }
