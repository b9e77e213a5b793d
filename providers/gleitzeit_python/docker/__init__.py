"""The tier `docker`: containers that are used once, and the hub that looks after them."""
