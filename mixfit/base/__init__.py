"""What every room uses: arrays, errors, numbers, files, parallel work."""
