"""Image files: decoding, and one picture with everything that it carries (alpha, ICC profile, EXIF data)."""
