"""Terminal and, later, web front ends. All of them call only `labelling`."""
