"""What every room uses: arrays, errors, numbers, metrics, files, parallel work."""
