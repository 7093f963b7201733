"""What the data says of itself: status, dataset statistics, learning curves, advice. Nothing here changes anything."""
