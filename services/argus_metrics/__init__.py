"""How good a picture is: named metrics behind one small interface."""
