"""What functions and training share: events, features, the bundle, and where profiles are kept."""
