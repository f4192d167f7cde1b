//! Sealed files: reading them, sealing a Secret, and the record of what an item was sealed with.
