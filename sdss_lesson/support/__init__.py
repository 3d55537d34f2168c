"""What the lesson stands on, and a learner need not read: claims, progress bars, SkyServer, the doctor."""
