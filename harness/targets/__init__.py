"""The system under test: started or found, watched, ended with all it spawned; and the machine it is measured on."""
