"""`argus profile`: has workers draw and judge, and writes down what a ladder takes and gives.

`ask` says what shall be measured and `units` cuts it into pieces; `run` has `crew`'s workers do
them, each kept by `journal` once it is done; `assemble` makes the document of what was kept.
"""
