"""What a target has promised: OpenAPI documents and Pact files. Knows no plan and no run."""
