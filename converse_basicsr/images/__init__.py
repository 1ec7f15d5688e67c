"""Image files: decoding, and pictures with alpha, ICC profile and EXIF data."""
