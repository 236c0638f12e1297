"""Has orders paid, and settles in the background what a checkout had to leave.

That is a charge with an unknown outcome, which the vendor has to forget, and the order of a shop that was killed.
"""

from __future__ import annotations

import logging
import threading
import time

from sqlalchemy.exc import SQLAlchemyError
from typing_extensions import TypedDict

from harness.shop.errors import PaymentDeclined, PaymentUnavailable, Refusal
from harness.shop.orders import Orders, Placed
from harness.shop.payment_client import PaymentClient
from harness.shop.tables import Status

PERIOD_S = 1.0
ABANDONED_S = 10.0
"""A checkout that runs has settled its order long before: its time limits add up to less."""

_log = logging.getLogger("uvicorn.error")


class Receipt(TypedDict):
    """A paid order, in short."""

    order_id: int
    total_cents: int
    status: str


class Paying:
    """Takes orders from pending to paid, or not bought."""

    def __init__(self, orders: Orders, payment: PaymentClient) -> None:
        self._orders = orders
        self._payment = payment

    def pay(self, order: Placed) -> Receipt:
        """Has an order paid that is pending.

        Raises `PaymentDeclined` or `PaymentUnavailable`; it is then not bought.
        """
        status = order.status
        if status is Status.PENDING:
            try:
                self._payment.charge(order.order_id, order.total_cents, order.payment_key)
            except PaymentDeclined:
                self._orders.settle(order.order_id, Status.DECLINED)
                raise
            except PaymentUnavailable:
                if self._orders.settle(order.order_id, Status.CANCELLED) is not Status.PAID:
                    raise
            status = self._orders.settle(order.order_id, Status.PAID)
        if status is not Status.PAID:  # cancelled by another request for it
            raise PaymentUnavailable
        return {"order_id": order.order_id, "total_cents": order.total_cents, "status": status.value}

    def settle_left(self, placed_before_s: float) -> None:
        """Has the vendor forget what was cancelled, and ends what a shop that was killed has left pending.

        An order with a key is paid, because its buyer can ask for it again. Without a key, the buyer got an error, so
        the order is cancelled.
        """
        for order in self._orders.open(placed_before_s):
            if order.status is Status.PENDING and order.client_key is not None:
                try:
                    self.pay(order)
                except PaymentDeclined:
                    continue
            elif order.status is Status.PENDING:
                self._orders.settle(order.order_id, Status.CANCELLED)
            else:
                self._payment.void(order.payment_key)
                self._orders.voided(order.order_id)


class Settling:
    """A thread that settles open charges and orders every `PERIOD_S` until `close`. Several shops may do so at once."""

    def __init__(self, paying: Paying) -> None:
        self._paying = paying
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="settling", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(PERIOD_S):
            try:
                self._paying.settle_left(time.time() - ABANDONED_S)
            except (Refusal, SQLAlchemyError) as error:  # vendor or database are away: next time
                _log.warning("settling: %s", type(error).__name__)
