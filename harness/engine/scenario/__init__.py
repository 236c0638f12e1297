"""What runs user code outside a load: describing a scenario and verifying its target."""
