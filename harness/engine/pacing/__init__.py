"""When load starts: arrivals, timers, rate limits and the order of tasks."""
