"""What each gate observed, whether it held, and the verdict: as the run goes (``live``) and after it (``judge``)."""
