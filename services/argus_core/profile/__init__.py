"""What was measured of a ladder: the profile document, and what is made of it."""
