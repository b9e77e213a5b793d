"""What people and models write instead, read as the one form there is."""
