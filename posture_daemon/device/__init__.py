"""What the device says of itself, the limits that its owner set, and the report that compares both."""
