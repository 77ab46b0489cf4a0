"""`argus why` in plain sentences: changes of plans, and what was decided for a request. Pure."""
