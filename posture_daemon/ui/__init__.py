"""Terminal and web front ends of labelling and guided capture. They hold no labelling rules; those are in `labelling`."""
