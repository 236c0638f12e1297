"""An ordinary locustfile: nothing in it knows of the harness, and it runs unchanged.

harness run scenarios/locustfile.py --target shop --profile smoke
locust -f scenarios/locustfile.py --host http://127.0.0.1:8000
"""

from locust import HttpUser, SequentialTaskSet, between, events, tag, task


@events.test_start.add_listener
def announce(environment, **_):
    print(f"testing {environment.host}")


class Purchase(SequentialTaskSet):
    """One after the other, then back to browsing."""

    def on_start(self):
        login = self.client.post("/login", json={"user": "locust"}).json()
        self.client.headers["Authorization"] = f"Bearer {login['token']}"

    @task
    def fill_cart(self):
        self.client.post("/cart", json={"product_id": 7, "quantity": 1})

    @task
    def check_out(self):
        self.client.post("/checkout")

    @task
    def leave(self):
        self.interrupt()


class Visitor(HttpUser):
    wait_time = between(0.5, 2)
    weight = 3

    @tag("browse")
    @task(3)
    def products(self):
        self.client.get("/products")

    @tag("browse")
    @task
    def search(self):
        with self.client.get("/search?q=lamp", catch_response=True) as response:
            if not response.json()["items"]:
                response.failure("no lamps")


class Buyer(HttpUser):
    wait_time = between(1, 3)
    tasks = [Purchase]
