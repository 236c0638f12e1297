"""The controller: starts target, load and samplers, follows the journal, has the run judged and drawn, cleans up."""
