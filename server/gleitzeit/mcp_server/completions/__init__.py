"""What an argument of a prompt, or a part of an address, can be."""
