"""Terminal and web front ends. All of them call only `labelling`."""
