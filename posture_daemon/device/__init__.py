"""Resources of the device, the owner's limits on them, and the report that compares both."""
