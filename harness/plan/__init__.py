"""Scenario and profile made into an immutable plan. All user input is validated here, once."""
