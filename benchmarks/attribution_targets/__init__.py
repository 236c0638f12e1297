"""Small servers whose functions can be made to work more: ``GROW=FUNCTION:FACTOR`` in the environment."""
