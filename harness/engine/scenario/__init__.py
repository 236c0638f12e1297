"""What runs user code outside a load: describing a scenario, and its hooks."""
