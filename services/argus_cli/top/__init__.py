"""`argus top`: a cluster at a glance, from what a router tells. Pure but for what is passed in."""
